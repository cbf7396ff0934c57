/** Leases: one thread held for several calls. */
import * as Effect from "effect/Effect"
import type * as Scope from "effect/Scope"
import type { Lease } from "../../Blocking.ts"
import { Cancelled, type JoinError, type JoinErrorReason, WorkerExited, WouldDeadlock } from "../../JoinError.ts"
import type { Task } from "../../Task.ts"
import type { PoolThread } from "../scheduler/poolThread.ts"
import { type Run, RunDetails, type RunExit, RunList } from "../scheduler/run.ts"
import type { Scheduler } from "../scheduler/scheduler.ts"
import { pseudoTask, resolve, type ResolvedTask } from "../task/resolved.ts"
import { afterCallbacks, detailsOf, isWaitedForBy } from "./callbacks.ts"
import { stopAndWait } from "./stopping.ts"
import { pipeOn, sinkOn, streamOn, type Target } from "./streams.ts"
import { beginSpan, traced } from "./tracing.ts"

const request = pseudoTask("lease")

/** The cause for calls made after the thread was lost. */
const lostThread = (): Error =>
  new Error("The thread of the lease is gone: one of its calls had to be terminated, or ended the thread")

const leaseEnded = "its lease had ended: call it inside Blocking.lease, and wait for it there"

class LeaseState implements Lease {
  /** Calls that wait because the thread is busy with another one. */
  private readonly calls = new RunList()
  private thread: PoolThread | undefined
  private holder: Run | undefined
  /** The reason for which calls are refused, once the lease or its thread has ended. */
  private ended: (() => JoinErrorReason) | undefined
  private readonly key: string
  private readonly scheduler: Scheduler

  readonly stream: Lease["stream"]
  readonly sink: Lease["sink"]
  readonly pipe: Lease["pipe"]

  constructor(key: string, scheduler: Scheduler) {
    this.key = key
    this.scheduler = scheduler
    const target: Target = {
      key,
      scheduler,
      submit: (task, args, onEnd, details) => this.submit(task, args, onEnd, details),
      leaseScoped: undefined
    }
    this.stream = streamOn(target)
    this.sink = sinkOn(target)
    this.pipe = pipeOn(target)
  }

  readonly acquire: Effect.Effect<void, JoinError> = Effect.callback((resume) => {
    const details = detailsOf(this.scheduler, request, undefined) ?? new RunDetails()
    const holder = this.scheduler.requestLease(
      request,
      (thread) => {
        this.thread = thread
        thread.lease = {
          nested: details.nested,
          onFree: () => this.next(),
          hasWaiting: () => this.calls.size > 0,
          onClosing: (cancel) => {
            for (const run of this.calls.toArray()) if (!run.task.mandatory) cancel(run)
          },
          onLost: (exitCode) =>
            this.end(() => new WorkerExited({ ...(exitCode === undefined ? {} : { exitCode }), cause: lostThread() }))
        }
        resume(Effect.void)
      },
      (exit: RunExit) => resume(exit as Effect.Effect<void, JoinError>),
      details
    )
    this.holder = holder
    return Effect.sync(() => this.scheduler.stop(holder, "Interrupt"))
  })

  readonly release: Effect.Effect<void> = Effect.suspend(() => {
    if (this.thread === undefined) return Effect.void
    this.end(() => new Cancelled({ stage: "Queued", by: "Abort", detail: leaseEnded }))
    const running = Array.from(new Set([...this.thread.assigned, ...this.thread.open]))
    this.scheduler.release(this.holder!)
    return stopAndWait(this.scheduler, running, "Abort")
  })

  readonly run = <Args extends ReadonlyArray<unknown>, A, E, R>(
    task: Task<Args, A, E, R>,
    ...args: Args
  ): Effect.Effect<A, E | JoinError, R> =>
    Effect.callback((resume) => {
      const resolved = resolve(task)
      const span = beginSpan(this.key, task)
      const details = detailsOf(this.scheduler, resolved, span)
      const run = this.submit(
        resolved,
        args as ReadonlyArray<unknown> as Array<unknown>,
        afterCallbacks(details, traced(span, (exit) => resume(exit as Effect.Effect<A, E | JoinError>))),
        details
      )
      return run && stopAndWait(this.scheduler, [run], "Interrupt")
    })

  private submit(
    task: ResolvedTask,
    args: Array<unknown>,
    onEnd: (exit: RunExit, run: Run) => void,
    details: RunDetails | undefined
  ): Run | undefined {
    const { scheduler } = this
    const run = scheduler.makeLeasedRun(task, args, onEnd, details)
    if (run === undefined) return undefined
    if (this.ended !== undefined) {
      scheduler.fail(run, this.ended)
    } else if (isWaitedForBy(scheduler, this.thread!)) {
      const { maxThreads } = scheduler.options
      scheduler.fail(run, () => new WouldDeadlock({ threads: 1, maxThreads }))
    } else {
      scheduler.submitTo(this.thread!, run, this.calls)
    }
    return run
  }

  private next(): void {
    const run = this.calls.shift()
    if (run !== undefined) this.scheduler.submitTo(this.thread!, run, this.calls)
  }

  private end(reason: () => JoinErrorReason): void {
    if (this.ended !== undefined) return
    this.ended = reason
    for (const run of this.calls.toArray()) {
      if (run.list === undefined) continue
      run.list.remove(run)
      this.scheduler.fail(run, reason)
    }
  }
}

export const lease =
  (key: string, scheduler: Scheduler) =>
  <A, E, R>(use: (lease: Lease) => Effect.Effect<A, E, R>): Effect.Effect<A, E | JoinError, R> =>
    Effect.uninterruptibleMask((restore) => {
      const state = new LeaseState(key, scheduler)
      // The release is registered before the thread is requested: an interruption can arrive after the
      // thread was granted and before this fiber resumes.
      return restore(Effect.flatMap(state.acquire, () => use(state))).pipe(
        Effect.onExit(() => state.release)
      )
    })

/** Like `lease`, until the scope closes. */
export const leaseScoped = (key: string, scheduler: Scheduler): Effect.Effect<Lease, JoinError, Scope.Scope> =>
  Effect.uninterruptibleMask((restore) => {
    const state = new LeaseState(key, scheduler)
    return Effect.as(
      Effect.andThen(Effect.addFinalizer(() => state.release), restore(state.acquire)),
      state
    )
  })
