/** Builds a folder of TypeScript: `node src/main.ts <from> <to>`. Without arguments, it builds `node_modules`. */
import { NodeBlocking } from "@effect-blocking/platform-node"
import { NodeServices } from "@effect/platform-node"
import { Array, Console, Effect, FileSystem, Option, Ref, Schema } from "effect"
import { Argument, Command } from "effect/cli"
import { availableParallelism } from "node:os"
import { fileURLToPath } from "node:url"
import { check } from "./check.ts"
import { maxInFlight, run } from "./pipeline.ts"
import * as Progress from "./progress.ts"

class NotAllBuilt extends Schema.TaggedError<NotAllBuilt>()("NotAllBuilt", { refused: Schema.Int }) {
  override get message() {
    return `${this.refused} files could not be built`
  }
}

const nodeModules = fileURLToPath(new URL("../../", import.meta.resolve("effect")))

const command = Command.make(
  "file-pipeline",
  {
    from: Argument.Directory("from", { mustExist: true }).pipe(Argument.withDefault(nodeModules)),
    to: Argument.Directory("to").pipe(Argument.optional)
  },
  Effect.fn("file-pipeline")(function*({ from, to }) {
    const fs = yield* FileSystem.FileSystem
    const folder = Option.isSome(to) ? to.value : yield* fs.makeTempDirectoryScoped({ prefix: "file-pipeline-" })
    const progress = yield* Progress.make
    const summary = Effect.flatMap(Ref.get(progress), (p) => Console.log(Progress.summary(p)))

    yield* Console.log(`Building TypeScript files, at most ${maxInFlight} at a time …`)
    const [built, bad] = yield* Effect.andThen(Progress.bar(progress), run(from, folder, progress)).pipe(
      Effect.scoped,
      Effect.map(Array.separate),
      Effect.onInterrupt(() =>
        Effect.andThen(summary, Console.log("Interrupted. Every file that was built is complete."))
      )
    )
    yield* summary
    for (const { message } of bad.slice(0, 3)) yield* Console.log(`  ${message}`)
    if (bad.length > 3) yield* Console.log(`  … and ${bad.length - 3} more`)

    yield* check(folder, built, yield* Ref.get(progress))
    yield* Console.log(
      `checked    ${built.length} files: each decompresses correctly, and no partial file remains`
    )
    if (Option.isSome(to) && bad.length > 0) return yield* new NotAllBuilt({ refused: bad.length })
  }, Effect.scoped)
).pipe(Command.withDescription("Strips the types from TypeScript files, and compresses the result."))

const pool = NodeBlocking.layer({
  // The work computes and does not wait: more threads than cores gain nothing.
  maxThreads: availableParallelism(),
  // In each thread, stripTypeScriptTypes warns once that it is experimental.
  execArgv: ["--disable-warning=ExperimentalWarning"]
})

NodeBlocking.runMain(Command.run(command, { version: "1.0.0" }).pipe(Effect.provide([pool, NodeServices.layer])))
