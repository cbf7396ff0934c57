/** A pool's operations as effects, over its scheduler. */
import * as Deferred from "effect/Deferred"
import * as Effect from "effect/Effect"
import * as Effectable from "effect/Effectable"
import type * as Exit from "effect/Exit"
import * as Scope from "effect/Scope"
import type { Pool, PoolStats } from "../../Blocking.ts"
import { type JoinError, type JoinErrorReason, LoadFailed, ShutDown, SpawnFailed } from "../../JoinError.ts"
import type { JoinHandle, JoinStatus } from "../../JoinHandle.ts"
import type { Task } from "../../Task.ts"
import type { ThreadHost } from "../../ThreadHost.ts"
import { joinError, loadFailure } from "../scheduler/outcome.ts"
import type { PrewarmFailure } from "../scheduler/prewarm.ts"
import { Assigned, Done, type Run, RunDetails, type RunExit } from "../scheduler/run.ts"
import { Scheduler, type SchedulerOptions } from "../scheduler/scheduler.ts"
import type { ShutdownReport } from "../scheduler/shutdown.ts"
import { pseudoTask, resolve } from "../task/resolved.ts"
import { lease } from "./lease.ts"
import { logEvent, logShutdown } from "./log.ts"
import * as metrics from "./metrics.ts"
import { stopAndWait, stopUnsafe } from "./stopping.ts"
import { beginSpan, type TaskSpan } from "./tracing.ts"

/** Makes a pool that shuts down with the scope. */
export const make = Effect.fnUntraced(function*(
  key: string,
  host: ThreadHost,
  options: SchedulerOptions
): Effect.fn.Return<Pool, never, Scope.Scope> {
  const context = yield* Effect.context<never>()
  const log = (effect: Effect.Effect<void>): void => {
    Effect.runForkWith(context)(Effect.annotateLogs(effect, { pool: key }))
  }
  // One step: with `minThreads` it has threads as soon as it is there.
  const scheduler = yield* Effect.acquireRelease(
    Effect.sync(() => new Scheduler(host, options, (event) => log(logEvent(event, host)))),
    (scheduler) => shutdown(scheduler).pipe(Effect.flatMap(logShutdown), Effect.annotateLogs({ pool: key }))
  )
  yield* metrics.register(key, scheduler)
  return new PoolImpl(key, scheduler)
})

const prewarm = pseudoTask("prewarm")

class PoolImpl implements Pool {
  /** What was spawned in each scope and has not ended. */
  private readonly scopes = new WeakMap<Scope.Scope, SpawnGroup>()
  private readonly key: string
  private readonly scheduler: Scheduler
  readonly lease: Pool["lease"]

  constructor(key: string, scheduler: Scheduler) {
    this.key = key
    this.scheduler = scheduler
    this.lease = lease(scheduler)
  }

  readonly run = <Args extends ReadonlyArray<unknown>, A, E>(
    task: Task<Args, A, E>,
    ...args: Args
  ): Effect.Effect<A, E | JoinError> =>
    Effect.callback((resume) => {
      const span = beginSpan(this.key, task)
      const run = this.scheduler.submit(
        resolve(task),
        args as ReadonlyArray<unknown> as Array<unknown>,
        traced(span, resume as (exit: RunExit) => void),
        span === undefined ? undefined : new RunDetails()
      )
      return run.state === Done ? undefined : new Interruption(this.scheduler, run)
    })

  readonly spawnDetached = <Args extends ReadonlyArray<unknown>, A, E>(
    task: Task<Args, A, E>,
    ...args: Args
  ): Effect.Effect<JoinHandle<A, E>, JoinError> => this.submit(task, args, () => {})

  readonly spawn = <Args extends ReadonlyArray<unknown>, A, E>(
    task: Task<Args, A, E>,
    ...args: Args
  ): Effect.Effect<JoinHandle<A, E>, JoinError, Scope.Scope> =>
    Effect.flatMap(
      Effect.scope,
      (scope) => Effect.flatMap(this.groupOf(scope), (group) => this.submit(task, args, (run) => group.add(run)))
    )

  private submit<Args extends ReadonlyArray<unknown>, A, E>(
    task: Task<Args, A, E>,
    args: Args,
    onAccepted: (run: Run) => void
  ): Effect.Effect<JoinHandle<A, E>, JoinError> {
    return Effect.callback((resume) => {
      const exit = Deferred.makeUnsafe<A, E | JoinError>()
      let handle: JoinHandleImpl<A, E> | undefined
      const onEnd = (ended: RunExit): void => {
        // Refused: what keeps a task from being accepted is never its own error.
        if (handle === undefined) return resume(ended as Exit.Exit<never, JoinError>)
        Deferred.doneUnsafe(exit, ended as Exit.Exit<A, E | JoinError>)
        if (!handle.isJoined) this.scheduler.tellUnreadPanic(ended)
      }
      const details = new RunDetails()
      details.onAccepted = (run) => {
        handle = new JoinHandleImpl(this.scheduler, run, task, exit)
        onAccepted(run)
        resume(Effect.succeed(handle))
      }
      const run = this.scheduler.submit(
        resolve(task),
        args as ReadonlyArray<unknown> as Array<unknown>,
        traced(beginSpan(this.key, task), onEnd),
        details
      )
      return Effect.sync(() => this.scheduler.stop(run, "Interrupt"))
    })
  }

  private groupOf(scope: Scope.Scope): Effect.Effect<SpawnGroup> {
    // Uninterruptible: a group that the scope does not know would never be closed.
    return Effect.uninterruptible(Effect.suspend(() => {
      const known = this.scopes.get(scope)
      if (known !== undefined) return Effect.succeed(known)
      const group = new SpawnGroup(this.scheduler)
      this.scopes.set(scope, group)
      return Effect.as(Scope.addFinalizer(scope, group.close), group)
    }))
  }

  readonly stats: Effect.Effect<PoolStats> = Effect.sync(() => {
    const { options, outcomes, stops, threads } = this.scheduler
    const now = this.scheduler.now()
    const running = [...threads.all, ...threads.stuck].flatMap((thread) => {
      const run = thread.busyWith
      if (run === undefined) return []
      const startedAt = thread.startedAt(run)
      return [{
        id: run.id,
        task: run.task.name,
        module: run.task.module,
        threadId: thread.thread.threadId,
        runningMillis: startedAt === undefined ? 0 : Math.max(0, now - startedAt)
      }]
    })
    return {
      key: this.key,
      threads: threads.all.size,
      idleThreads: threads.idleCount,
      stuckThreads: threads.stuck.size,
      maxThreads: options.maxThreads,
      threadsStarted: threads.started,
      running,
      queueDepth: this.scheduler.queueDepth,
      queueCapacity: options.queueCapacity,
      suspended: this.scheduler.suspended,
      submitted: this.scheduler.submitted,
      outcomes: { ...outcomes },
      stops: { ...stops }
    }
  })

  readonly prewarm = (count = this.scheduler.options.maxThreads): Effect.Effect<void, JoinError> =>
    Effect.callback((resume) => {
      if (!(count >= 0)) throw new RangeError(`prewarm takes a number of threads, not ${count}`)
      const cancel = this.scheduler.prewarm(count, (failed) =>
        resume(
          failed === undefined
            ? Effect.void
            : Effect.fail(joinError(prewarm, 0, () => reasonOf(failed)))
        ))
      return Effect.sync(cancel)
    })

  readonly awaitIdle: Effect.Effect<void> = Effect.callback((resume) => {
    if (this.scheduler.isIdle) return resume(Effect.void)
    const forget = this.scheduler.onIdle(() => {
      forget()
      resume(Effect.void)
    })
    return Effect.sync(forget)
  })
}

/** What happens to a run when the fiber that waits for it is interrupted. One is made for each call: it is small. */
class Interruption extends Effectable.Class<void> {
  private readonly scheduler: Scheduler
  private readonly run: Run

  constructor(scheduler: Scheduler, run: Run) {
    super()
    this.scheduler = scheduler
    this.run = run
  }

  override asEffect(): Effect.Effect<void> {
    return stopUnsafe(this.scheduler, this.run, "Interrupt")
  }
}

/** Ends the task's span, if it has one, before its outcome is told. */
const traced = (span: TaskSpan | undefined, onEnd: (exit: RunExit) => void): (exit: RunExit, run: Run) => void =>
  span === undefined ? onEnd : (exit, run) => {
    try {
      span.end(run, exit)
    } finally {
      // A tracer that throws must not leave the fiber waiting.
      onEnd(exit)
    }
  }

const reasonOf = (failed: PrewarmFailure): JoinErrorReason => {
  switch (failed._tag) {
    case "ShutDown":
      return new ShutDown()
    case "SpawnFailed":
      return new SpawnFailed({ attempts: failed.attempts, cause: failed.cause })
    case "LoadFailed":
      return new LoadFailed(loadFailure(failed.module, failed.cause, failed.names))
  }
}

/** What was spawned in one scope: its close stops all of it at once, so that it takes one ladder and not many. */
class SpawnGroup {
  private readonly runs = new Set<Run>()
  private closed = false
  private readonly scheduler: Scheduler

  constructor(scheduler: Scheduler) {
    this.scheduler = scheduler
  }

  add(run: Run): void {
    this.runs.add(run)
    this.scheduler.observe(run, () => this.runs.delete(run))
    if (this.closed) this.scheduler.stop(run, "Abort")
  }

  readonly close: Effect.Effect<void> = Effect.suspend(() => {
    this.closed = true
    return stopAndWait(this.scheduler, Array.from(this.runs), "Abort")
  })
}

class JoinHandleImpl<A, E> implements JoinHandle<A, E> {
  readonly id: number
  readonly task: string
  readonly join: Effect.Effect<A, E | JoinError>
  readonly await: Effect.Effect<Exit.Exit<A, E | JoinError>>
  readonly abort: Effect.Effect<void>
  readonly abortFork: Effect.Effect<void>
  readonly status: Effect.Effect<JoinStatus>
  /** `await`, for those who do not count as readers. */
  readonly exit: Effect.Effect<Exit.Exit<A, E | JoinError>>
  /** Whether someone waits for it, or has read its exit. */
  isJoined = false

  constructor(
    scheduler: Scheduler,
    run: Run,
    task: { readonly name: string },
    exit: Deferred.Deferred<A, E | JoinError>
  ) {
    this.id = run.id
    this.task = task.name
    this.exit = Effect.exit(Deferred.await(exit))
    this.join = Effect.suspend(() => {
      this.isJoined = true
      return Deferred.await(exit)
    })
    this.await = Effect.exit(this.join)
    this.abort = stopAndWait(scheduler, [run], "Abort")
    this.abortFork = Effect.sync(() => scheduler.stop(run, "Abort"))
    this.status = Effect.sync(() => statusOf(scheduler, run))
  }
}

export const exitOf = <A, E>(handle: JoinHandle<A, E>): Effect.Effect<Exit.Exit<A, E | JoinError>> =>
  handle instanceof JoinHandleImpl ? handle.exit : handle.await

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

const shutdown = (scheduler: Scheduler): Effect.Effect<ShutdownReport> =>
  Effect.callback((resume) => scheduler.close((report) => resume(Effect.succeed(report))))
