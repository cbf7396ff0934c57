/** Read, transform on the pool, write: for many files, but only so many at once. */
import { Array, Effect, FileSystem, Order, Path, Ref, Result, Schema } from "effect"
import { Blocking, Task } from "effect-blocking"
import * as Progress from "./progress.ts"
import { build } from "./tasks.ts"

/** The most files between the start of their read and the end of their write: what bounds the memory. */
export const maxInFlight = 32

/** A file that cannot be read or transformed. It is reported, and does not end the others. */
export class BadFile extends Schema.TaggedError<BadFile>()("BadFile", { path: Schema.String, reason: Schema.String }) {
  override get message() {
    return `${this.path}: ${this.reason}`
  }
}

/** The file is there with all of its content or not at all. */
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

/** Builds all TypeScript files of a folder into another. What is wrong with one file is its result, not the end. */
export const run = Effect.fn("run")(function*(from: string, to: string, progress: Ref.Ref<Progress.Progress>) {
  const fs = yield* FileSystem.FileSystem
  const path = yield* Path.Path

  const buildFile = Effect.fn("buildFile")(function*(file: string) {
    const bad = ({ message }: { readonly message: string }) => new BadFile({ path: file, reason: message })
    const source = yield* Effect.mapError(fs.readFile(path.join(from, file)), bad)
    const sourceBytes = source.length // Before it is moved: then it is empty here.
    const { compressed, sha256 } = yield* Blocking.run(build, Task.move(source)).pipe(
      Effect.catchTag("NotTypeScript", (error) => Effect.fail(bad(error)))
    )
    const compressedBytes = compressed.length
    // A write that has begun is ended and counted before an interruption gets through.
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
