/** Checks the files on the disk against the report of the pipeline. */
import { Array, Effect, FileSystem, Path, Schema } from "effect"
import { Blocking, Task } from "effect-blocking"
import { maxInFlight } from "./pipeline.ts"
import type { Progress } from "./progress.ts"
import { unpack } from "./tasks.ts"

export class CheckFailed extends Schema.TaggedError<CheckFailed>()("CheckFailed", {
  problems: Schema.Array(Schema.String)
}) {
  override get message() {
    return this.problems.join("\n")
  }
}

interface Output {
  readonly output: string
  readonly sha256: string
}

export const check = Effect.fn("check")(function*(to: string, outputs: ReadonlyArray<Output>, progress: Progress) {
  const fs = yield* FileSystem.FileSystem
  const path = yield* Path.Path
  const isRight = Effect.fn("isRight")(function*({ output, sha256 }: Output) {
    return sha256 === (yield* Blocking.run(unpack, Task.move(yield* fs.readFile(path.join(to, output)))))
  })
  const wrong = yield* Effect.filter(outputs, (output) => Effect.map(isRight(output), (right) => !right), {
    concurrency: maxInFlight
  })
  const problems = [
    ...Array.map(wrong, ({ output }) => `${output} decompresses to something else`),
    ...Array.map(yield* fs.glob("**/*.part", { root: to }), (part) => `${part} remains`),
    ...(progress.built + progress.bad === progress.files ? [] : ["Some files were neither built nor refused"]),
    ...(progress.peak <= maxInFlight ? [] : [`There were ${progress.peak} files in flight`])
  ]
  if (problems.length > 0) return yield* new CheckFailed({ problems })
})
