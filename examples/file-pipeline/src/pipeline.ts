/** Read, transform on the pool, write: for many files, with a bound on the number in flight. */
import { Array, Effect, FileSystem, Order, Path, Ref, Result, Schema } from "effect"
import { Blocking, Task } from "effect-blocking"
import * as Progress from "./progress.ts"
import { build } from "./tasks.ts"

/** The most files between the start of their read and the end of their write. This bounds the memory. */
export const maxInFlight = 32

/** A file that cannot be read or transformed. It is reported, and the others continue. */
export class BadFile extends Schema.TaggedError<BadFile>()("BadFile", { path: Schema.String, reason: Schema.String }) {
  override get message() {
    return `${this.path}: ${this.reason}`
  }
}

/** Writes a file so that it is either complete or not there. */
const writeWhole = Effect.fn("writeWhole")(function*(file: string, content: Uint8Array) {
  const fs = yield* FileSystem.FileSystem
  const path = yield* Path.Path
  const part = `${file}.part`
  yield* fs.makeDirectory(path.dirname(file), { recursive: true })
  yield* fs.writeFile(part, content).pipe(
    Effect.andThen(fs.rename(part, file)),
    Effect.tapError(() => fs.remove(part, { force: true }))
  )
})

/** Builds all TypeScript files of a folder into another folder. The error of a file is its result, and ends no other. */
export const run = Effect.fn("run")(function*(from: string, to: string, progress: Ref.Ref<Progress.Progress>) {
  const fs = yield* FileSystem.FileSystem
  const path = yield* Path.Path

  const buildFile = Effect.fn("buildFile")(function*(file: string) {
    const bad = ({ message }: { readonly message: string }) => new BadFile({ path: file, reason: message })
    const source = yield* Effect.mapError(fs.readFile(path.join(from, file)), bad)
    const sourceBytes = source.length // Taken before the move, which leaves the source empty.
    const { compressed, sha256 } = yield* Blocking.run(build, Task.move(source)).pipe(
      Effect.catchTag("NotTypeScript", (error) => Effect.fail(bad(error)))
    )
    const compressedBytes = compressed.length
    // A write that has begun is finished and counted before an interruption takes effect.
    yield* writeWhole(path.join(to, `${file}.br`), compressed).pipe(
      Effect.andThen(Ref.update(progress, Progress.addBuilt({ sourceBytes, compressedBytes }))),
      Effect.uninterruptible
    )
    return { output: `${file}.br`, sha256 }
  })

  const files = Array.sort(yield* fs.glob("**/*.ts", { root: from, exclude: ["**/*.d.ts"] }), Order.String)
  yield* Ref.update(progress, (p) => ({ ...p, files: files.length }))
  return yield* Effect.forEach(
    files,
    (file) =>
      buildFile(file).pipe(
        Effect.map(Result.succeed),
        Effect.catchTag("BadFile", (bad) => Effect.as(Ref.update(progress, Progress.addBad), Result.fail(bad))),
        Progress.track(progress)
      ),
    { concurrency: maxInFlight }
  )
})
