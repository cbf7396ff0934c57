/** Finds files that are nearly the same, with one thread and with all threads: `node src/main.ts [folder]`. */
import { NodeBlocking } from "@effect-blocking/platform-node"
import { NodeServices } from "@effect/platform-node"
import { Console, Duration, Effect, Option } from "effect"
import { Blocking } from "effect-blocking"
import { Argument, Command, Flag } from "effect/cli"
import { availableParallelism } from "node:os"
import { join } from "node:path"
import { check, plant } from "./check.ts"
import * as Progress from "./progress.ts"
import { candidates, compare, sign } from "./search.ts"
import { listTexts } from "./tasks.ts"

const cores = availableParallelism()

/** Takes `count` paths, spread evenly over the list. */
const sample = (paths: ReadonlyArray<string>, count: number): ReadonlyArray<string> =>
  paths.filter((_, i) => Math.floor(i * count / paths.length) !== Math.floor((i - 1) * count / paths.length))

const command = Command.make(
  "parallel-search",
  {
    folder: Argument.Directory("folder", { mustExist: true }).pipe(
      Argument.withDescription("Folder to search; node_modules of this repository by default"),
      Argument.optional
    ),
    files: Flag.Int("files").pipe(Flag.withDescription("Maximum number of files"), Flag.withDefault(5000)),
    list: Flag.Boolean("list").pipe(Flag.withDescription("Print the pairs"), Flag.withDefault(false))
  },
  Effect.fn("parallel-search")(function*(input) {
    const folder = Option.getOrElse(input.folder, () => join(import.meta.dirname, "../../../node_modules"))
    const found = yield* Blocking.run(listTexts, folder)
    const planted = yield* plant
    const paths = [...sample(found, input.files), planted.first, planted.second, planted.third]

    yield* Blocking.prewarm(cores)
    yield* sign(paths.slice(0, paths.length / 10), undefined) // Warms up the code and the file system. Not counted.
    const [onOne, one] = yield* Effect.timed(sign(paths, 1))
    const progress: Progress.Progress = { done: 0, all: paths.length }
    const [onAll, all] = yield* Effect.andThen(
      Progress.bar(progress),
      Effect.timed(sign(paths, undefined, (count) => void (progress.done = count)))
    ).pipe(Effect.scoped)

    const rate = (duration: Duration.Duration): string => {
      const millis = Duration.toMillis(duration)
      return `${millis.toFixed(0)} ms, ${Math.round(paths.length / millis * 1000)} files a second`
    }
    const times = (Duration.toMillis(onOne) / Duration.toMillis(onAll)).toFixed(1)
    yield* Console.log(`Signed ${paths.length} files of ${Math.round(all.bytes / 1e6)} MB`)
    yield* Console.log(`  one thread      ${rate(onOne)}`)
    yield* Console.log(`  one per core    ${rate(onAll)}: with ${cores}, ${times} times as fast`)

    const pairs = candidates(all.signed)
    const [took, alike] = yield* Effect.timed(compare(pairs))
    yield* Console.log(`Compared ${pairs.length} pairs that may be alike in ${Duration.toMillis(took).toFixed(0)} ms`)
    yield* Console.log(`  nearly the same ${alike.length}`)
    if (input.list) yield* Effect.forEach(alike, ({ a, b }) => Console.log(`${a}\n  ${b}`))
    yield* check({ planted, one: one.signed, all: all.signed, alike })
    yield* Console.log("Checked: both ways make the same signatures, and find the edited one of three planted files.")
  }, Effect.scoped)
).pipe(Command.withDescription("Finds files that are nearly the same."))

const pool = NodeBlocking.layer({ maxThreads: cores })

NodeBlocking.runMain(Command.run(command, { version: "1.0.0" }).pipe(Effect.provide([pool, NodeServices.layer])))
