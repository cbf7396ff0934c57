/** Imports a CSV file: `node src/main.ts <file> <database>`. Without arguments, makes a file and imports that. */
import { NodeBlocking } from "@effect-blocking/platform-node"
import { NodeServices } from "@effect/platform-node"
import { Config, Console, Effect, FileSystem, Option, Path, Schema } from "effect"
import { Blocking } from "effect-blocking"
import { Argument, Command, Flag } from "effect/cli"
import { contents } from "./check.ts"
import { importFile } from "./import.ts"
import * as Progress from "./progress.ts"
import { makeSample } from "./sample.ts"

class NotImported extends Schema.TaggedError<NotImported>()("NotImported", { message: Schema.String }) {}

const command = Command.make(
  "csv-import",
  {
    file: Argument.File("file", { mustExist: true }).pipe(Argument.optional),
    database: Argument.Path("database").pipe(Argument.optional),
    megabytes: Flag.Int("megabytes").pipe(
      Flag.withDescription("size of the file to make, if no file is given"),
      Flag.withFallbackConfig(Config.Int("CSV_IMPORT_MEGABYTES").pipe(Config.withDefault(300)))
    )
  },
  Effect.fn("csv-import")(function*(input) {
    const fs = yield* FileSystem.FileSystem
    const path = yield* Path.Path
    const folder = yield* fs.makeTempDirectoryScoped({ prefix: "csv-import-" })
    const database = Option.getOrElse(input.database, () => path.join(folder, "measurements.db"))
    let file: string
    let expected: { readonly rows: number; readonly tenths: number } | undefined
    if (Option.isSome(input.file)) file = input.file.value
    else {
      file = path.join(folder, "measurements.csv")
      yield* Console.log(`Making a file of ${input.megabytes} MB …`)
      expected = yield* makeSample(file, input.megabytes)
    }

    const before = yield* Blocking.run(contents, database)
    const { size } = yield* fs.stat(file)
    const progress = yield* Progress.make(Number(size))
    yield* Console.log(`Importing ${Progress.megabytes(Number(size))} …`)
    // Read from the database, not from the last count: an interruption does not undo a commit that has begun.
    const outcome = Effect.map(
      Blocking.run(contents, database),
      ({ rows }) =>
        rows === before.rows
          ? "None of its rows is in the database."
          : `All of its ${rows - before.rows} rows are in the database.`
    )
    const rows = yield* Effect.andThen(Progress.bar(progress), importFile(file, database, progress)).pipe(
      Effect.scoped,
      Effect.catchTag(
        "BadLine",
        ({ line, text }) =>
          Effect.flatMap(
            outcome,
            (outcome) =>
              Effect.fail(new NotImported({ message: `Line ${line} is not a measurement: "${text}". ${outcome}` }))
          )
      ),
      Effect.onInterrupt(() =>
        Effect.flatMap(outcome, (outcome) => Console.log(`Interrupted at ${progress.written} rows. ${outcome}`))
      )
    )
    yield* Console.log(`imported   ${rows} rows`)
    yield* Console.log(
      `memory     grew by at most ${Progress.megabytes(progress.memoryPeak - progress.memoryBefore)}, for a file of ${
        Progress.megabytes(Number(size))
      }`
    )
    const after = yield* Blocking.run(contents, database)
    const added = { rows: after.rows - before.rows, tenths: after.tenths - before.tenths }
    const right = expected ?? { rows, tenths: added.tenths }
    if (added.rows !== rows || rows !== right.rows || added.tenths !== right.tenths) {
      return yield* new NotImported({
        message: `${rows} rows were imported: added ${JSON.stringify(added)}, expected ${JSON.stringify(right)}`
      })
    }
    yield* Console.log(
      `checked    ${added.rows} rows, with temperatures that add up to ${(added.tenths / 10).toFixed(1)} degrees`
    )
  }, Effect.scoped)
).pipe(Command.withDescription("Imports a CSV file of measurements into SQLite: all rows, or no row."))

// One thread parses, the other writes.
const pool = NodeBlocking.layer({ maxThreads: 2 })

NodeBlocking.runMain(Command.run(command, { version: "1.0.0" }).pipe(Effect.provide([pool, NodeServices.layer])))
