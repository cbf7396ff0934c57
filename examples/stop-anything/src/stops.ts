/** Three ways to set a deadline. Each effect returns the step of the ladder that stopped its task. */
import { Effect, FileSystem, Schema } from "effect"
import { Blocking, Task } from "effect-blocking"
import { exportRows, read, sum, validate } from "./tasks.ts"

const deadline = "1 second"

/** A task was not stopped, or not by the expected step. */
export class NotStopped extends Schema.TaggedError<NotStopped>()("NotStopped", {
  task: Schema.String,
  detail: Schema.String
}) {
  override get message() {
    return `Task "${this.task}" ${this.detail}`
  }
}

const ended = (task: string) => Effect.fail(new NotStopped({ task, detail: "ended by itself" }))

/** A limit of the task: it counts from the start of the body, and `TimedOut` says how the task was stopped. */
export const stopValidate = Blocking.run(Task.with(validate, { timeLimit: deadline }), `${"a".repeat(40)}!`).pipe(
  Effect.flatMap(() => ended("validate")),
  Effect.catchReason("JoinError", "TimedOut", ({ stopped }) => Effect.succeed(stopped))
)

/** The same limit, for a system call that nothing can interrupt. */
export const stopRead = Effect.fn("stopRead")(function*(fifo: string) {
  return yield* Blocking.run(Task.with(read, { timeLimit: deadline }), fifo).pipe(
    Effect.flatMap(() => ended("read")),
    Effect.catchReason("JoinError", "TimedOut", ({ stopped }) => Effect.succeed(stopped))
  )
})

/** A handle lets the program decide later: joining it fails with `Cancelled`. */
export const stopSum = Effect.gen(function*() {
  const handle = yield* Blocking.spawn(sum, 1)
  yield* Effect.sleep(deadline)
  yield* handle.abort
  return yield* handle.join.pipe(
    Effect.flatMap(() => ended("sum")),
    Effect.catchReason("JoinError", "Cancelled", ({ stopped }) => Effect.succeed(stopped))
  )
}).pipe(Effect.scoped)

/** A limit of the caller: the interruption stops the task, but returns no step. The last line of the file shows it. */
export const stopExport = Effect.fn("stopExport")(function*(path: string) {
  const fs = yield* FileSystem.FileSystem
  return yield* Blocking.run(exportRows, path, 1_000_000_000).pipe(
    Effect.timeout(deadline),
    Effect.flatMap(() => ended("exportRows")),
    Effect.catchTag("TimeoutError", () => fs.readFileString(path)),
    Effect.filterOrFail(
      (text) => /\nend of file, rows: \d+\n$/.test(text),
      () => new NotStopped({ task: "exportRows", detail: "did not close its file" })
    ),
    Effect.as("Checkpoint" as const)
  )
})
