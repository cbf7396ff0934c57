/** The handle of a spawned task. It tracks whether its exit is read. */
import * as Deferred from "effect/Deferred"
import * as Effect from "effect/Effect"
import type * as Exit from "effect/Exit"
import type { JoinError } from "../../JoinError.ts"
import type { JoinHandle, JoinStatus } from "../../JoinHandle.ts"
import { Assigned, Done, type Run, type RunExit } from "../scheduler/run.ts"
import type { Scheduler } from "../scheduler/scheduler.ts"
import { stopAndWait } from "./stopping.ts"

export class JoinHandleImpl<A, E> implements JoinHandle<A, E> {
  readonly id: number
  readonly task: string
  readonly join: Effect.Effect<A, E | JoinError>
  readonly await: Effect.Effect<Exit.Exit<A, E | JoinError>>
  readonly abort: Effect.Effect<void>
  readonly abortFork: Effect.Effect<void>
  readonly status: Effect.Effect<JoinStatus>
  /** Like `await`, but does not count as reading the exit. */
  readonly exit: Effect.Effect<Exit.Exit<A, E | JoinError>>
  /** Fibers that wait for the exit. A fiber interrupted while waiting does not count as a reader. */
  private readers = 0
  /** Whether the adopter, such as a `JoinSet`, reports an unread exit instead. */
  adopted = false
  private wasRead = false
  private readonly scheduler: Scheduler
  private readonly deferred = Deferred.makeUnsafe<A, E | JoinError>()

  constructor(scheduler: Scheduler, run: Run, task: { readonly name: string }) {
    this.scheduler = scheduler
    this.id = run.id
    this.task = task.name
    const exit = Deferred.await(this.deferred)
    this.exit = Effect.exit(exit)
    this.join = Effect.suspend(() => {
      if (Deferred.isDoneUnsafe(this.deferred)) {
        this.wasRead = true
        return exit
      }
      this.readers++
      return Effect.onExit(exit, () => {
        this.readers--
        return Effect.void
      })
    })
    this.await = Effect.exit(this.join)
    this.abort = stopAndWait(scheduler, [run], "Abort")
    this.abortFork = Effect.sync(() => scheduler.stop(run, "Abort"))
    this.status = Effect.sync(() => statusOf(scheduler, run))
  }

  /** Called when the task has ended. */
  end(exit: RunExit): void {
    this.wasRead = this.readers > 0
    Deferred.doneUnsafe(this.deferred, exit as Exit.Exit<A, E | JoinError>)
    if (!this.adopted) this.reportUnread(exit)
  }

  /** Logs a panic that was not read. */
  reportUnread(exit: RunExit): void {
    if (!this.wasRead) this.scheduler.outcomes.reportUnreadPanic(exit)
  }
}

/** Waits for the end of a task without counting as a reader of its exit. */
export const exitOf = <A, E>(handle: JoinHandle<A, E>): Effect.Effect<Exit.Exit<A, E | JoinError>> =>
  handle instanceof JoinHandleImpl ? handle.exit : handle.await

/** Makes the caller responsible for an unread exit: it calls the returned function to report one. */
export const adopt = <A, E>(handle: JoinHandle<A, E>): (exit: Exit.Exit<A, E | JoinError>) => void => {
  if (!(handle instanceof JoinHandleImpl)) return () => {}
  handle.adopted = true
  return (exit) => handle.reportUnread(exit)
}

const statusOf = (scheduler: Scheduler, run: Run): JoinStatus => {
  const now = scheduler.now()
  if (run.state === Done) {
    const { endedAt, startedAt } = run.detailed()
    const startedOrEnded = startedAt === 0 ? endedAt : startedAt
    return {
      _tag: "Done",
      queuedMillis: Math.max(0, startedOrEnded - run.submittedAt),
      runningMillis: Math.max(0, endedAt - startedOrEnded)
    }
  }
  const startedAt = run.state === Assigned ? run.thread!.startedAt(run) : undefined
  if (startedAt !== undefined) {
    return {
      _tag: "Running",
      queuedMillis: Math.max(0, startedAt - run.submittedAt),
      runningMillis: Math.max(0, now - startedAt),
      threadId: run.thread!.thread.threadId
    }
  }
  return { _tag: "Queued", queuedMillis: now - run.submittedAt }
}
