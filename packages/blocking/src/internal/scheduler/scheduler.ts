/**
 * The scheduler of one pool: what becomes of a run, from its submission to its outcome.
 *
 * It knows no platform and no fiber. It is plain synchronous code over a
 * `ThreadHost`, called from two sides: the pool's operations (`submit`, `stop`,
 * `close` …) and the host's events. Each call leaves the scheduler consistent before
 * it tells anyone an outcome, because the fiber that is resumed runs at once and may
 * call back in.
 *
 * Its parts are modules of their own: `threads` (which there are), `dispatcher` (who gets
 * what), `monitor` (time), `ladder` (stops), `queueTimeLimits`, `prewarm` and `shutdown`.
 */
import * as Exit from "effect/Exit"
import * as Option from "effect/Option"
import {
  isJoinError,
  type JoinErrorReason,
  LoadFailed,
  OutOfMemory,
  QueueFull,
  QueueTimedOut,
  ShutDown,
  SpawnFailed,
  WorkerExited
} from "../../JoinError.ts"
import type { ThreadExit, ThreadHost } from "../../ThreadHost.ts"
import type { ResolvedTask } from "../task/resolved.ts"
import { describe } from "../wire/cloneable.ts"
import * as controlBlock from "../wire/controlBlock.ts"
import * as protocol from "../wire/protocol.ts"
import { decode } from "../wire/restored.ts"
import { copyArguments, packArguments } from "./arguments.ts"
import { Dispatcher } from "./dispatcher.ts"
import type { SchedulerEvent } from "./events.ts"
import { durationBoundaries, Histogram } from "./histogram.ts"
import { Ladder, type StopStep } from "./ladder.ts"
import { Monitor } from "./monitor.ts"
import { cancelledInQueue, failure, loadFailure, type Outcome, type OutcomeKind, reported, stopped } from "./outcome.ts"
import type { PoolThread, ThreadState } from "./poolThread.ts"
import { Prewarm, type PrewarmFailure } from "./prewarm.ts"
import { QueueTimeLimits } from "./queueTimeLimits.ts"
import { Recycling } from "./recycling.ts"
import { Assigned, Done, Queued, Run, RunDetails, type RunExit, RunList, type StopBy, Waiting } from "./run.ts"
import { Shutdown, type ShutdownReport } from "./shutdown.ts"
import { TaskDefinitions } from "./taskDefinitions.ts"
import { describeExit, Threads, type ThreadsOptions } from "./threads.ts"
import { Yielding } from "./yielding.ts"

export interface SchedulerOptions extends ThreadsOptions {
  readonly queueCapacity: number
  readonly onFull: "suspend" | "fail"
  readonly shutdownMillis: number
  readonly resourceLimits: Readonly<Record<string, number>>
}

/** A task that has lost so many threads before they claimed it is failed: it may be what ends them. */
const maxLosses = 2

/** How many outcomes are told between two looks at the clock. Arbitrary: some microseconds, and a tenth of the cost. */
const tellsPerLook = 16

export class Scheduler {
  /** Accepted, and not on a thread. */
  private readonly queue = new RunList()
  /** Their submitters are suspended, because the queue is full. */
  private readonly waiting = new RunList()
  readonly threads: Threads
  private readonly definitions = new TaskDefinitions()
  private readonly dispatcher: Dispatcher
  private readonly monitor: Monitor
  private readonly queueTimeLimits: QueueTimeLimits
  private readonly prewarmed: Prewarm
  private readonly recycling: Recycling | undefined
  private readonly ladder: Ladder
  private readonly yielding: Yielding
  private shutdown: Shutdown | undefined
  private onClosed: ((report: ShutdownReport) => void) | undefined
  private readonly forgetForceShutdown: (() => void) | undefined

  readonly outcomes: Record<OutcomeKind, number> = {
    Succeeded: 0,
    Failed: 0,
    Cancelled: 0,
    Panicked: 0,
    TimedOut: 0,
    WorkerExited: 0,
    OutOfMemory: 0,
    QueueTimedOut: 0,
    QueueFull: 0,
    ShutDown: 0,
    NotCloneable: 0,
    LoadFailed: 0,
    SpawnFailed: 0
  }
  readonly queueWait = new Histogram(durationBoundaries)
  readonly runTime = new Histogram(durationBoundaries)
  /** How often each step of the ladder was taken. */
  readonly stops: Record<StopStep | "Abandoned", number> = { Requested: 0, Terminated: 0, Abandoned: 0 }
  /** Errors that nobody caught in a thread. */
  uncaughtErrors = 0
  submitted = 0
  /** Runs without an outcome. */
  private unsettled = 0
  private lastId = 0
  private readonly idleWatchers = new Set<() => void>()
  private keptAlive = false
  /** The time while outcomes are told, 0 otherwise: who is told often submits the next task, and the clock is slow. */
  private time = 0

  private readonly host: ThreadHost
  readonly options: SchedulerOptions
  private readonly onEvent: (event: SchedulerEvent) => void

  constructor(host: ThreadHost, options: SchedulerOptions, onEvent: (event: SchedulerEvent) => void) {
    this.host = host
    this.options = options
    this.onEvent = onEvent
    this.threads = new Threads(host, options, {
      onReady: (thread, failures) => this.onReady(thread, failures),
      onMessage: (thread, message) => this.onMessage(thread, message),
      onMessageError: (thread, error) => this.onMessageError(thread, error),
      onTerminating: (thread) => this.onTerminating(thread),
      onAbandoned: (thread) => this.onAbandoned(thread),
      onStuckLimit: (stuck, places) => this.onEvent({ _tag: "StuckLimit", stuck, places }),
      onEnded: (thread, exit, previous) => this.onEnded(thread, exit, previous),
      onStartFailed: (attempt, cause) => this.onEvent({ _tag: "StartFailed", attempt, cause }),
      onNoThreads: (attempts, cause) => this.onNoThreads(attempts, cause),
      onRetry: () => this.pump()
    })
    this.monitor = new Monitor(host, this.threads, {
      onTick: (thread) => this.collect(thread),
      onTimeLimit: (run) => this.onTimeLimit(run),
      onStalled: (thread) => {
        this.takeBack(thread)
        this.pump()
      },
      onWedged: (thread, millis, loading) => {
        this.onEvent({ _tag: "ThreadWedged", threadId: thread.thread.threadId, millis })
        if (loading !== undefined && loading.state !== Done) {
          this.settle(
            loading,
            failure(loading, () => new LoadFailed(loadFailure(loading.task.module, loadsForever(millis), [])))
          )
        }
        this.threads.terminate(thread)
      }
    })
    this.queueTimeLimits = new QueueTimeLimits(host, (run, limitMillis) => {
      run.list!.remove(run)
      const queueDepth = this.queue.size + this.waiting.size
      this.settle(run, failure(run, () => new QueueTimedOut({ limitMillis, queueDepth })))
      this.pump()
    })
    this.dispatcher = new Dispatcher(this.queue, this.threads, host.maxTasksPerThread ?? controlBlock.capacity, {
      onSent: (thread) => this.monitor.sent(thread),
      onTaken: (run) => this.queueTimeLimits.forget(run),
      onUnused: (thread) => this.free(thread)
    })
    this.prewarmed = new Prewarm(this.threads)
    if (options.recycle !== undefined) this.recycling = new Recycling(host, this.threads, options.recycle)
    this.ladder = new Ladder(host, options.graceMillis, {
      onRequest: (run, thread, by) => this.tellStop("Requested", run, thread, by),
      onNeverEntered: (run) => this.settle(run, cancelledInQueue(run)),
      onGraceOver: (run, thread) => this.onGraceOver(run, thread)
    })
    this.yielding = new Yielding(host, (thread, message) => this.collect(thread, message))
    this.forgetForceShutdown = host.onForceShutdown?.(() => this.forceShutdown())
    this.threads.start(0)
  }

  get queueDepth(): number {
    return this.queue.size
  }

  get suspended(): number {
    return this.waiting.size
  }

  get runningCount(): number {
    let count = 0
    for (const thread of this.threads.all) if (thread.busyWith !== undefined) count++
    return count
  }

  get isIdle(): boolean {
    return this.unsettled === 0
  }

  now(): number {
    return this.host.now()
  }

  // ---------------------------------------------------------------------------
  // Submission
  // ---------------------------------------------------------------------------

  /** `details` for a run of which more than its outcome will be asked. */
  submit(
    task: ResolvedTask,
    args: Array<unknown>,
    onEnd: (exit: RunExit, run: Run) => void,
    details?: RunDetails
  ): Run {
    const run = this.makeRun(task, args, onEnd, details)
    if (this.prepare(run)) this.admit(run)
    return run
  }

  /** Asks for a thread to hold; it comes to `onGranted`, unless `onEnd` comes first. */
  requestLease(
    task: ResolvedTask,
    onGranted: (thread: PoolThread) => void,
    onEnd: (exit: RunExit, run: Run) => void
  ): Run {
    const details = new RunDetails()
    details.onGranted = onGranted
    return this.submit(task, [], onEnd, details)
  }

  private makeRun(
    task: ResolvedTask,
    args: Array<unknown>,
    onEnd: (exit: RunExit, run: Run) => void,
    details: RunDetails | undefined
  ): Run {
    this.submitted++
    this.unsettled++
    const now = this.time === 0 || task.queueTimeLimitMillis !== undefined ? this.host.now() : this.time
    return new Run(++this.lastId, task, this.definitions.of(task), args, now, onEnd, details)
  }

  /** Makes the run ready to be sent, or ends it. */
  private prepare(run: Run): boolean {
    const refused = this.shutdown === undefined ? packArguments(run) : failure(run, () => new ShutDown())
    if (refused !== undefined) this.settle(run, refused)
    return refused === undefined
  }

  /** Tasks for which a thread is idle, starting or can be started do not count against the queue's capacity. */
  private hasRoom(): boolean {
    return this.threads.idleCount > 0 || this.queue.size < this.options.queueCapacity + this.threads.startable
  }

  private admit(run: Run): void {
    const { onFull, queueCapacity } = this.options
    if (this.waiting.size === 0 && this.hasRoom()) {
      this.accept(run)
    } else if (onFull === "fail") {
      return this.settle(run, failure(run, () => new QueueFull({ capacity: queueCapacity })))
    } else {
      this.waiting.push(run)
      this.queueTimeLimits.watch(run)
    }
    this.updateKeepAlive()
  }

  /** Gives the run to an idle thread, or queues it. */
  private accept(run: Run): void {
    const thread = this.threads.takeIdle()
    if (thread !== undefined) {
      if (run.isLease) return this.grant(thread, run)
      const refused = this.dispatcher.assign(thread, run)
      if (refused === undefined) return run.details?.onAccepted?.(run)
      // The thread is idle again before anyone hears of it.
      this.threads.putBack(thread)
      this.settle(run, refused)
      return this.pump()
    }
    this.enqueue(run, this.queue)
    if (run.state === Queued) {
      run.details?.onAccepted?.(run)
      this.threads.start(this.queue.size)
    }
  }

  /** Lets a run wait, with arguments that are its own; ends it if they cannot be copied. */
  private enqueue(run: Run, list: RunList): void {
    const refused = copyArguments(run)
    if (refused !== undefined) return this.settle(run, refused)
    run.state = Queued
    list.push(run)
    this.queueTimeLimits.watch(run)
  }

  // ---------------------------------------------------------------------------
  // Dispatch
  // ---------------------------------------------------------------------------

  /** Restores the balance after any change: work for idle threads, room for the suspended, threads for the queue. */
  private pump(): void {
    // Again, if a thread got nothing: what was for it was refused, or stopped by who was told before.
    while (this.queue.size > 0 && this.threads.idleCount > 0) {
      const { leases, refused } = this.dispatcher.dispatch()
      for (const [run, outcome] of refused) this.settle(run, outcome)
      for (const [run, thread] of leases) this.grant(thread, run)
    }
    while (this.waiting.size > 0 && this.hasRoom()) {
      this.accept(this.waiting.shift()!)
    }
    this.threads.start(this.queue.size)
    this.threads.watchKeepAlive()
    this.updateKeepAlive()
  }

  /** The thread has nothing more to do. */
  private free(thread: PoolThread): void {
    if (thread.state !== "Ready" || thread.assigned.length > 0) return
    if (thread.lease !== undefined) return thread.lease.onFree()
    if (thread.leaving || (this.shutdown !== undefined && this.queue.size === 0)) return this.threads.retire(thread)
    this.threads.rest(thread)
    this.recycling?.onFree(thread)
  }

  /** Puts what the thread has not claimed back to the head of the queue, in its order. */
  private takeBack(thread: PoolThread, died?: ThreadExit): void {
    const outcomes: Array<readonly [Run, Outcome]> = []
    for (const run of this.dispatcher.takeBack(thread)) {
      if (died !== undefined && ++run.detailed().losses >= maxLosses) {
        outcomes.push([run, this.lostWith(run, died)])
      } else if (thread.lease !== undefined || run.transfer !== undefined) {
        // The state it was for, or the buffers it was sent with, are gone with the thread.
        outcomes.push([run, this.lostWith(run, died ?? terminated)])
      } else if (this.shutdown !== undefined && (!run.task.mandatory || this.shutdown.over)) {
        this.shutdown.markCancelled(run)
        outcomes.push([run, cancelledInQueue(run)])
      } else {
        run.thread = undefined
        run.state = Queued
        this.queue.unshift(run)
        this.queueTimeLimits.watch(run)
      }
    }
    // When all others are back in the queue: who is told can stop one of them.
    for (const [run, outcome] of outcomes) this.settle(run, outcome)
  }

  // ---------------------------------------------------------------------------
  // Leases
  // ---------------------------------------------------------------------------

  private grant(thread: PoolThread, run: Run): void {
    // Stopped by who was told in between.
    if (run.state === Done) return this.free(thread)
    this.queueTimeLimits.forget(run)
    run.state = Assigned
    run.thread = thread
    run.details!.onGranted!(thread)
  }

  /** Ends a lease; its thread, if it is still there, takes other tasks again. */
  release(run: Run): void {
    const thread = run.thread!
    this.settle(run, { kind: "Succeeded", exit: Exit.void })
    if (thread.lease === undefined) return
    thread.lease = undefined
    this.free(thread)
    this.pump()
  }

  /** Makes a run for a leased thread, or ends it. */
  makeLeasedRun(task: ResolvedTask, args: Array<unknown>, onEnd: (exit: RunExit, run: Run) => void): Run | undefined {
    const run = this.makeRun(task, args, onEnd, undefined)
    return this.prepare(run) ? run : undefined
  }

  /** Sends a run to a leased thread if that is free, and otherwise lets it wait in the lease's own queue. */
  submitTo(thread: PoolThread, run: Run, calls: RunList): void {
    if (thread.assigned.length > 0) return this.enqueue(run, calls)
    const refused = this.dispatcher.assign(thread, run)
    if (refused !== undefined) {
      this.settle(run, refused)
      this.free(thread)
    }
    this.updateKeepAlive()
  }

  /** Cancels a call that waits for its lease's thread, because the pool shuts down. */
  cancelQueued(run: Run): void {
    this.shutdown?.cancel(run)
  }

  /** Ends a run that no thread will take. */
  fail(run: Run, makeReason: () => JoinErrorReason): void {
    this.settle(run, failure(run, makeReason))
  }

  // ---------------------------------------------------------------------------
  // Outcomes
  // ---------------------------------------------------------------------------

  private onMessage(thread: PoolThread, message: protocol.FromThread): void {
    if (message[0] === protocol.Progress) {
      this.yielding.onMessage(thread, message)
    } else if (message[0] === protocol.Uncaught) {
      const error = decode(message[1], [])
      this.uncaughtErrors++
      this.onEvent({ _tag: "UncaughtError", threadId: thread.thread.threadId, task: message[2], error })
    }
  }

  /** A result was posted that this thread cannot read (a structure too deep for its stack): its task ends with that. */
  private onMessageError(thread: PoolThread, error: unknown): void {
    // A result that only waits for its turn is not the one that was lost.
    this.yielding.flush()
    const { control } = thread
    const lost = thread.assigned.find(({ sequence }) =>
      controlBlock.hasEnded(control, sequence) && controlBlock.resultKind(control, sequence) === controlBlock.Posted
    )
    if (lost === undefined) {
      return this.onEvent({ _tag: "UncaughtError", threadId: thread.thread.threadId, task: undefined, error })
    }
    const value: protocol.NotCloneableValue = { side: "success", path: "result", detail: describe(error) }
    this.collect(thread, [protocol.Progress, lost.sequence, protocol.NotCloneable, value])
  }

  /**
   * Takes in what the thread is done with, gives it its next tasks, and only then tells
   * the outcomes: the fibers that they resume can take long.
   */
  private collect(thread: PoolThread, message?: protocol.ProgressMessage): void {
    const count = thread.countEnded(message?.[1])
    if (count === 0) return
    const { control } = thread
    const runs = thread.assigned.splice(0, count)
    thread.ended += count
    const values: Array<unknown> = []
    for (const run of runs) {
      const { sequence } = run
      // Read before the thread gets other tasks, which use the same cells.
      values.push(controlBlock.result(control, sequence))
      if (run.state === Done) continue
      const startedAt = controlBlock.startTime(control, sequence)
      const endedAt = controlBlock.endTime(control, sequence)
      if (run.details !== undefined) {
        run.details.startedAt = startedAt
        run.details.endedAt = endedAt
      }
      if (startedAt === 0) continue
      run.definition.learn(endedAt - startedAt)
      this.queueWait.record(startedAt - run.submittedAt)
      this.runTime.record(endedAt - startedAt)
    }
    const posted = message !== undefined && message.length > 1 ? runs[count - 1] : undefined
    // A stop was for a run that has ended: its ladder goes no further.
    if (thread.ladderFor !== undefined && runs.includes(thread.ladderFor)) thread.clearLadder()
    if (!thread.proven) this.threads.prove(thread)
    this.free(thread)
    this.pump()
    for (let i = 0; i < count; i++) {
      const run = runs[i]!
      if (i % tellsPerLook === 0) this.time = this.host.now()
      if (run.state === Done) continue
      if (run === posted) this.settle(run, reported(run, message![2]!, message![3]))
      else if (run.stop !== "TimeLimit" && run.task.codec === undefined) {
        this.settleAs(run, "Succeeded", Exit.succeed(values[i]))
      } else this.settle(run, reported(run, protocol.Succeeded, values[i]))
    }
    this.time = 0
  }

  private settle(run: Run, { exit, kind }: Outcome): void {
    this.settleAs(run, kind, exit)
  }

  private settleAs(run: Run, kind: OutcomeKind, exit: RunExit): void {
    if (run.state === Done) return
    run.state = Done
    // A handle keeps the run: it need not keep the arguments.
    run.args = noArguments
    this.unsettled--
    this.outcomes[kind]++
    const { details, onEnd } = run
    // Who keeps a handle keeps the run, but not what its callbacks refer to.
    run.onEnd = ignore
    let observers: ReadonlyArray<() => void> | undefined
    if (details !== undefined) {
      this.queueTimeLimits.forget(run)
      observers = details.observers
      details.transfer = undefined
      details.onAccepted = undefined
      details.observers = undefined
      if (details.endedAt === 0) details.endedAt = this.host.now()
    }
    this.tell(run, onEnd, exit)
    // The fiber that waited for it was interrupted, and reads nothing.
    if (kind === "Panicked" && run.stop === "Interrupt") this.tellUnreadPanic(exit)
    if (observers !== undefined) { for (const observer of observers) this.tell(run, observer, exit) }
    run.thread = undefined
    if (this.unsettled === 0) {
      for (const watcher of Array.from(this.idleWatchers)) watcher()
      this.updateKeepAlive()
    }
  }

  /** Of a panic that perhaps nobody ever reads: a bug in a body must not end unseen. */
  tellUnreadPanic(exit: RunExit): void {
    const error = Option.getOrUndefined(Exit.findErrorOption(exit))
    if (isJoinError(error) && error.reason._tag === "Panicked") this.onEvent({ _tag: "UnreadPanic", error })
  }

  /** Who is told can throw, a tracer or a fiber's observer: the others are told all the same. */
  private tell(run: Run, callback: (exit: RunExit, run: Run) => void, exit: RunExit): void {
    try {
      callback(exit, run)
    } catch (error) {
      this.onEvent({ _tag: "ListenerFailed", task: run.task.name, error })
    }
  }

  /** Calls back when the run has ended. */
  observe(run: Run, observer: () => void): void {
    ;(run.detailed().observers ??= []).push(observer)
  }

  /** Calls back each time that no run is without an outcome. */
  onIdle(watcher: () => void): () => void {
    this.idleWatchers.add(watcher)
    return () => this.idleWatchers.delete(watcher)
  }

  // ---------------------------------------------------------------------------
  // Stopping
  // ---------------------------------------------------------------------------

  /** Takes a run back if it has not started, and climbs the ladder if it has. */
  stop(run: Run, by: StopBy): void {
    switch (run.state) {
      case Done:
        return
      case Waiting:
      case Queued: {
        run.list?.remove(run)
        run.stop = by
        this.settle(run, cancelledInQueue(run))
        // There is room for one of the suspended.
        if (this.waiting.size > 0) this.pump()
        this.shutdown?.check()
        return
      }
      case Assigned: {
        if (run.isLease) return
        if (run.thread!.revoke(run)) {
          run.stop = by
          this.settle(run, cancelledInQueue(run))
        } else if (controlBlock.isClaimed(run.thread!.control, run.sequence)) {
          this.ladder.climb(run, by)
        }
      }
    }
  }

  private onTimeLimit(run: Run): void {
    const thread = run.thread!
    if (thread.thread.link === undefined) return this.ladder.climb(run, "TimeLimit")
    // Only a message tells that it has ended, and a late timer comes before those that have arrived.
    this.host.nextTurn(() => {
      this.yielding.flush()
      if (run.state === Assigned && run.thread === thread) this.ladder.climb(run, "TimeLimit")
    })
  }

  /** It may have ended just now, without a message yet. */
  private onGraceOver(run: Run, thread: PoolThread): void {
    this.collect(thread)
    // Before its thread can be terminated, which must not be in another task by then.
    this.takeBack(thread)
    if (controlBlock.isClaimed(thread.control, run.sequence)) this.threads.terminate(thread)
    else this.pump()
  }

  /** Second step: the end of the thread. What it has not claimed runs elsewhere (C4). */
  private onTerminating(thread: PoolThread): void {
    const { running } = thread
    // One that is over already was interrupted, or given up, while its module loaded: nobody stops it now.
    if (running !== undefined && running.state !== Done) {
      this.shutdown?.report.terminated.push(running.task.name)
      this.tellStop("Terminated", running, thread, running.stop ?? "Shutdown")
    }
    this.takeBack(thread)
    this.pump()
  }

  private tellStop(step: StopStep, run: Run, thread: PoolThread, by: StopBy): void {
    this.stops[step]++
    this.onEvent({ _tag: "Stop", step, by, threadId: thread.thread.threadId, task: run.task.name })
  }

  /** Third step: the thread sits in native code, and its caller goes on without it. */
  private onAbandoned(thread: PoolThread): void {
    this.stops.Abandoned++
    this.yielding.flush()
    this.collect(thread)
    const { running } = thread
    thread.stuckOn = running
    if (running !== undefined) this.shutdown?.markAbandoned(running.task.name)
    this.onEvent({ _tag: "ThreadAbandoned", threadId: thread.thread.threadId, task: running?.task.name })
    const outcomes = thread.endAssigned(
      (run) => run.stop === undefined ? failure(run, () => new WorkerExited({})) : stopped(run, "Abandoned")
    )
    this.afterLoss(thread, undefined, outcomes)
  }

  // ---------------------------------------------------------------------------
  // Threads
  // ---------------------------------------------------------------------------

  private onReady(thread: PoolThread, preloadFailures: ReadonlyArray<protocol.PreloadFailure>): void {
    for (const { cause, module } of preloadFailures) {
      this.onEvent({ _tag: "PreloadFailed", module, cause: decode(cause, []) })
    }
    this.free(thread)
    this.recycling?.onReady(thread)
    this.pump()
    this.prewarmed.onReady(preloadFailures)
    this.updateKeepAlive()
  }

  private onNoThreads(attempts: number, cause: unknown): void {
    if (this.threads.readyCount === 0) {
      for (const run of [...this.queue.toArray(), ...this.waiting.toArray()]) {
        if (run.list === undefined) continue
        run.list.remove(run)
        this.fail(run, () => new SpawnFailed({ attempts, cause }))
      }
    }
    this.prewarmed.check({ _tag: "SpawnFailed", attempts, cause })
    this.updateKeepAlive()
  }

  private onEnded(thread: PoolThread, exit: ThreadExit, previous: ThreadState): void {
    this.yielding.flush()
    this.collect(thread)
    // Before what it was in: once that is settled, its thread is forgotten.
    this.takeBack(thread, previous === "Terminating" ? undefined : exit)
    const outcomes = thread.endAssigned((run, startedAt) => {
      if (run.stop !== undefined && previous === "Terminating") return stopped(run, "Terminated")
      const ended = controlBlock.hasEnded(thread.control, run.sequence)
      if (previous !== "Terminating" && !exit.outOfMemory && !ended && startedAt === undefined) {
        return failure(run, () => new LoadFailed(loadFailure(run.task.module, diedLoading(exit), [])))
      }
      return this.lostWith(run, exit)
    })
    if (previous === "Ready" && outcomes.length === 0) {
      this.onEvent({ _tag: "ThreadLost", threadId: thread.thread.threadId, exit })
    }
    this.afterLoss(thread, exit.exitCode, outcomes)
  }

  private lostWith(run: Run, { cause, exitCode, outOfMemory, signal }: ThreadExit): Outcome {
    if (outOfMemory) return failure(run, () => new OutOfMemory({ limits: this.options.resourceLimits }))
    return failure(
      run,
      () =>
        new WorkerExited({
          ...(exitCode === undefined ? {} : { exitCode }),
          ...(signal === undefined ? {} : { signal }),
          ...(cause === undefined ? {} : { cause })
        })
    )
  }

  private afterLoss(
    thread: PoolThread,
    exitCode: number | undefined,
    outcomes: ReadonlyArray<readonly [Run, Outcome]>
  ): void {
    this.recycling?.onGone(thread)
    const { lease } = thread
    thread.lease = undefined
    // First of all: a fiber that is told now must not send the thread another call.
    lease?.onLost(exitCode)
    this.pump()
    for (const [run, outcome] of outcomes) this.settle(run, outcome)
    this.prewarmed.check()
    this.shutdown?.check()
  }

  // ---------------------------------------------------------------------------
  // The pool
  // ---------------------------------------------------------------------------

  /** Asks for `count` ready threads and calls back, once, with what came of it. */
  prewarm(count: number, onReady: (failed: PrewarmFailure | undefined) => void): () => void {
    if (this.shutdown !== undefined) {
      onReady({ _tag: "ShutDown" })
      return ignore
    }
    const cancel = this.prewarmed.request(Math.min(count, this.options.maxThreads), onReady)
    this.threads.start(this.queue.size)
    this.prewarmed.check()
    this.updateKeepAlive()
    return () => {
      cancel()
      this.updateKeepAlive()
    }
  }

  /** Refuses new tasks, ends the old ones, and calls back when every thread is gone or was given up (D4). */
  close(onClosed: (report: ShutdownReport) => void): void {
    this.onClosed = onClosed
    if (this.shutdown === undefined) this.beginShutdown()
    else if (this.shutdown.done) onClosed(this.shutdown.report)
  }

  /**
   * Ends the pool without `shutdownMillis`, although its scope may not be closing yet: the
   * program that has been told twice to end must not wait for a task in an uninterruptible
   * region. `close` still comes, and finds the shutdown under way or done.
   */
  private forceShutdown(): void {
    if (this.shutdown === undefined) this.beginShutdown()
    this.shutdown!.forceShutdown(this.host, this.options)
  }

  private beginShutdown(): void {
    const shutdown = this.shutdown = new Shutdown(this.queue, this.threads, {
      onCancel: (run) => this.settle(run, cancelledInQueue(run)),
      onStop: (run) => this.stop(run, "Shutdown"),
      onClosed: (report) => {
        this.forgetForceShutdown?.()
        this.monitor.stop()
        this.updateKeepAlive()
        this.onClosed?.(report)
      }
    })
    this.updateKeepAlive()
    for (const run of this.waiting.toArray()) {
      if (run.list === undefined) continue
      run.list.remove(run)
      this.settle(run, failure(run, () => new ShutDown()))
    }
    shutdown.begin(this.host, this.options)
    this.prewarmed.check({ _tag: "ShutDown" })
    this.pump()
    shutdown.check()
  }

  /** Work keeps the process alive; idle threads and their timers do not (P2). */
  private updateKeepAlive(): void {
    const active = this.unsettled > 0 || this.prewarmed.isWaiting ||
      (this.shutdown !== undefined && !this.shutdown.done)
    if (active === this.keptAlive) return
    this.keptAlive = active
    this.host.keepAlive(active)
  }
}

const noArguments: Array<unknown> = []

const ignore = (): void => {}

/** How a thread ends that is being terminated. */
const terminated: ThreadExit = { exitCode: undefined, signal: undefined, outOfMemory: false, cause: undefined }

const loadsForever = (millis: number): Error =>
  new Error(`It has been loading for ${millis} ms: a top-level await that does not settle, or a loop that does not end`)

const diedLoading = (exit: ThreadExit): Error =>
  new Error(
    `The thread ended with ${describeExit(exit)} while it loaded the module. ` +
      "Does the module start the program? Guard that with Task.inPoolThread(), or start it with NodeBlocking.runMain",
    { cause: exit.cause }
  )
