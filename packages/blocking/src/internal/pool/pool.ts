/** The operations of a pool, as effects on its scheduler. */
import * as Context from "effect/Context"
import * as Effect from "effect/Effect"
import * as Effectable from "effect/Effectable"
import type * as Exit from "effect/Exit"
import * as Scope from "effect/Scope"
import type { Pool, PoolStats } from "../../Blocking.ts"
import { Cancelled, type JoinError, type JoinErrorReason, LoadFailed, ShutDown, SpawnFailed } from "../../JoinError.ts"
import type { JoinHandle } from "../../JoinHandle.ts"
import type { Task } from "../../Task.ts"
import type { ThreadHost } from "../../ThreadHost.ts"
import type { SchedulerOptions } from "../scheduler/options.ts"
import { joinError, loadFailure } from "../scheduler/outcome.ts"
import type { PrewarmFailure } from "../scheduler/prewarm.ts"
import { Done, type Run, RunDetails, type RunExit } from "../scheduler/run.ts"
import { Scheduler } from "../scheduler/scheduler.ts"
import type { ShutdownReport } from "../scheduler/shutdown.ts"
import { pseudoTask, resolve } from "../task/resolved.ts"
import { afterCallbacks, detailsOf } from "./callbacks.ts"
import { eventsOf, OpenPools } from "./events.ts"
import { JoinHandleImpl } from "./handle.ts"
import { lease, leaseScoped } from "./lease.ts"
import { logEvent, logShutdown } from "./log.ts"
import * as metrics from "./metrics.ts"
import { stopAndWait, stopUnsafe } from "./stopping.ts"
import { pipeOn, sinkOn, streamOn, type Target } from "./streams.ts"
import { beginSpan, traced } from "./tracing.ts"

/** Makes a pool that shuts down with the scope. */
export const make = Effect.fnUntraced(function*(
  key: string,
  host: ThreadHost,
  options: SchedulerOptions
): Effect.fn.Return<Pool, never, Scope.Scope> {
  const context = yield* Effect.context<never>()
  const detached = host.detached ?? ((f) => f())
  const log = (effect: Effect.Effect<void>): void => {
    detached(() => void Effect.runForkWith(context)(Effect.annotateLogs(effect, { pool: key })))
  }
  // In one uninterruptible step: with `minThreads`, the scheduler starts threads at once.
  const open = Context.get(context, OpenPools)
  const [pool] = yield* Effect.acquireRelease(
    Effect.sync(() => {
      const scheduler = new Scheduler(host, options, (event) => log(logEvent(event, host)))
      const pool = new PoolImpl(key, scheduler)
      open.add(pool)
      return [pool, scheduler, metrics.register(context, key, scheduler)] as const
    }),
    ([pool, scheduler, unregister]) =>
      shutdown(scheduler).pipe(
        Effect.flatMap(logShutdown),
        Effect.annotateLogs({ pool: key }),
        // Unregistered last, so that tasks ended by the shutdown are counted.
        Effect.ensuring(Effect.sync(() => {
          open.delete(pool)
          unregister()
        }))
      )
  )
  return pool
})

const prewarm = pseudoTask("prewarm")

class PoolImpl implements Pool {
  /** The unfinished spawned runs, by scope. */
  private readonly scopes = new WeakMap<Scope.Scope, SpawnGroup>()
  private readonly key: string
  private readonly scheduler: Scheduler
  readonly lease: Pool["lease"]
  readonly leaseScoped: Pool["leaseScoped"]
  readonly stream: Pool["stream"]
  readonly sink: Pool["sink"]
  readonly pipe: Pool["pipe"]
  readonly events: Pool["events"]

  constructor(key: string, scheduler: Scheduler) {
    this.key = key
    this.scheduler = scheduler
    this.lease = lease(key, scheduler)
    this.leaseScoped = leaseScoped(key, scheduler)
    const target: Target = {
      key,
      scheduler,
      submit: (task, args, onEnd, details) => scheduler.submit(task, args, onEnd, details),
      leaseScoped: this.leaseScoped
    }
    this.stream = streamOn(target)
    this.sink = sinkOn(target)
    this.pipe = pipeOn(target)
    this.events = eventsOf(scheduler.outcomes.taskEvents)
  }

  readonly run = <Args extends ReadonlyArray<unknown>, A, E, R>(
    task: Task<Args, A, E, R>,
    ...args: Args
  ): Effect.Effect<A, E | JoinError, R> =>
    Effect.callback((resume) => {
      const resolved = resolve(task)
      const span = beginSpan(this.key, task)
      const details = detailsOf(this.scheduler, resolved, span)
      const run = this.scheduler.submit(
        resolved,
        args as ReadonlyArray<unknown> as Array<unknown>,
        afterCallbacks(details, traced(span, resume as (exit: RunExit) => void)),
        details
      )
      return run.state === Done ? undefined : new Interruption(this.scheduler, run)
    })

  readonly spawnDetached = <Args extends ReadonlyArray<unknown>, A, E, R>(
    task: Task<Args, A, E, R>,
    ...args: Args
  ): Effect.Effect<JoinHandle<A, E>, JoinError, R> => this.submit(task, args, () => {})

  readonly spawn = <Args extends ReadonlyArray<unknown>, A, E, R>(
    task: Task<Args, A, E, R>,
    ...args: Args
  ): Effect.Effect<JoinHandle<A, E>, JoinError, R | Scope.Scope> =>
    Effect.flatMap(
      Effect.scope,
      (scope) =>
        Effect.flatMap(
          this.groupOf(scope),
          (group) => group.isClosed ? closed(task) : this.submit(task, args, (run) => group.add(run))
        )
    )

  private submit<Args extends ReadonlyArray<unknown>, A, E, R>(
    task: Task<Args, A, E, R>,
    args: Args,
    onAccepted: (run: Run) => void
  ): Effect.Effect<JoinHandle<A, E>, JoinError, R> {
    return Effect.callback((resume) => {
      let handle: JoinHandleImpl<A, E> | undefined
      const onEnd = (exit: RunExit): void => {
        // Refused: only a `JoinError` can keep a task from being accepted, never its own error.
        if (handle === undefined) resume(exit as Exit.Exit<never, JoinError>)
        else handle.end(exit)
      }
      const resolved = resolve(task)
      const span = beginSpan(this.key, task)
      const details = detailsOf(this.scheduler, resolved, span) ?? new RunDetails()
      details.onAccepted = (run) => {
        handle = new JoinHandleImpl(this.scheduler, run, task)
        onAccepted(run)
        resume(Effect.succeed(handle))
      }
      const run = this.scheduler.submit(
        resolved,
        args as ReadonlyArray<unknown> as Array<unknown>,
        afterCallbacks(details, traced(span, onEnd)),
        details
      )
      return Effect.sync(() => this.scheduler.stop(run, "Interrupt"))
    })
  }

  private groupOf(scope: Scope.Scope): Effect.Effect<SpawnGroup> {
    // Uninterruptible: a group without its finalizer would never be closed.
    return Effect.uninterruptible(Effect.suspend(() => {
      const known = this.scopes.get(scope)
      if (known !== undefined) return Effect.succeed(known)
      const group = new SpawnGroup(this.scheduler)
      this.scopes.set(scope, group)
      return Effect.as(Scope.addFinalizer(scope, group.close), group)
    }))
  }

  readonly stats: Effect.Effect<PoolStats> = Effect.sync(() => {
    const { ladder, options, outcomes, threads } = this.scheduler
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
      waitingThreads: threads.waits.threads.size,
      maxThreads: options.maxThreads,
      sharesMemory: this.scheduler.host.pack === undefined && this.scheduler.host.wholeInput !== true,
      threadsStarted: threads.started,
      running,
      queueDepth: this.scheduler.queueDepth,
      queueCapacity: options.queueCapacity,
      suspended: this.scheduler.suspended,
      openStreams: this.scheduler.coroutines.open,
      submitted: outcomes.submitted,
      outcomes: { ...outcomes.counts },
      stops: { ...ladder.stops }
    }
  })

  readonly prewarm = (count = this.scheduler.options.maxThreads): Effect.Effect<void, JoinError> =>
    Effect.callback((resume) => {
      if (!(count >= 0)) throw new RangeError(`Blocking.prewarm: count must be a number of at least 0, not ${count}`)
      const cancel = this.scheduler.prewarm(count, (failed) =>
        resume(
          failed === undefined
            ? Effect.void
            : Effect.fail(joinError(prewarm, 0, () => reasonOf(failed)))
        ))
      return Effect.sync(cancel)
    })

  readonly awaitIdle: Effect.Effect<void> = Effect.callback((resume) => {
    if (this.scheduler.outcomes.isIdle) return resume(Effect.void)
    const unregister = this.scheduler.outcomes.onIdle(() => {
      unregister()
      resume(Effect.void)
    })
    return Effect.sync(unregister)
  })
}

/** Stops a run when the fiber that waits for it is interrupted. A class, because one is allocated for each call. */
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

/** Fails a spawn in a closed scope; the body never runs. */
const closed = (task: { readonly name: string; readonly module: string }): Effect.Effect<never, JoinError> =>
  Effect.suspend(() =>
    Effect.fail(
      joinError(task, 0, () => new Cancelled({ stage: "Queued", by: "Abort", detail: "its scope had closed" }))
    )
  )

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

/** The runs spawned in one scope. Its close stops all of them together, so their escalation ladders run in parallel. */
class SpawnGroup {
  private readonly runs = new Set<Run>()
  isClosed = false
  private readonly scheduler: Scheduler

  constructor(scheduler: Scheduler) {
    this.scheduler = scheduler
  }

  add(run: Run): void {
    this.runs.add(run)
    this.scheduler.outcomes.observe(run, () => this.runs.delete(run))
    if (this.isClosed) this.scheduler.stop(run, "Abort")
  }

  readonly close: Effect.Effect<void> = Effect.suspend(() => {
    this.isClosed = true
    return stopAndWait(this.scheduler, Array.from(this.runs), "Abort")
  })
}

const shutdown = (scheduler: Scheduler): Effect.Effect<ShutdownReport> =>
  Effect.callback((resume) => scheduler.close((report) => resume(Effect.succeed(report))))
