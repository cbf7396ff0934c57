/**
 * The scheduler of one pool: which run waits, which thread gets it, when a thread
 * starts, retires or is ended, and how the pool shuts down.
 *
 * It knows no platform and no fiber. It is plain synchronous code over a
 * `ThreadHost`, called from two sides: the pool's operations (`submit`, `stop`,
 * `close` …) and the host's events. Each call leaves the scheduler consistent before
 * it tells anyone an outcome, because the fiber that is resumed runs at once and may
 * call back in.
 */
import * as Exit from "effect/Exit"
import {
  type JoinErrorReason,
  LoadFailed,
  NotCloneable,
  OutOfMemory,
  QueueFull,
  QueueTimedOut,
  ShutDown,
  SpawnFailed,
  WorkerExited
} from "../JoinError.ts"
import type { ThreadExit, ThreadHost } from "../ThreadHost.ts"
import { compact, findUncloneable, NotCloneableError, snapshot, takeMoved } from "./cloneable.ts"
import * as controlBlock from "./controlBlock.ts"
import { cancelledInQueue, failure, loadFailure, type Outcome, type OutcomeKind, reported, stopped } from "./outcome.ts"
import type { PoolThread, ThreadState } from "./poolThread.ts"
import * as protocol from "./protocol.ts"
import type { ResolvedTask } from "./resolvedTask.ts"
import { Assigned, Done, Queued, Run, type RunExit, RunList, type StopBy, Waiting } from "./run.ts"
import { after, Threads, type ThreadsOptions } from "./threads.ts"
import { decode } from "./thrown.ts"

export interface SchedulerOptions extends ThreadsOptions {
  readonly queueCapacity: number
  readonly onFull: "suspend" | "fail"
  readonly shutdownMillis: number
  readonly resourceLimits: Readonly<Record<string, number>>
}

/** What deserves a line in the log; nobody else hears of it. */
export type SchedulerEvent =
  | {
    readonly _tag: "StrayError"
    readonly threadId: number
    readonly task: string | undefined
    readonly error: unknown
  }
  | { readonly _tag: "PreloadFailed"; readonly module: string; readonly cause: unknown }
  | { readonly _tag: "StartFailed"; readonly attempt: number; readonly cause: unknown }
  | { readonly _tag: "ThreadLost"; readonly threadId: number; readonly exit: ThreadExit }
  | { readonly _tag: "ThreadAbandoned"; readonly threadId: number; readonly task: string | undefined }

/** What a shutdown had to do, for the log. */
export interface ShutdownReport {
  /** Queued tasks that never ran. */
  cancelled: number
  /** Names of the tasks whose threads were terminated. */
  readonly terminated: Array<string>
  /** Names of the tasks whose threads could not be, and still run. */
  readonly abandoned: Array<string>
}

export class Scheduler {
  /** Accepted, and not on a thread. */
  private readonly queue = new RunList()
  /** Their submitters are suspended, because the queue is full. */
  private readonly waiting = new RunList()
  readonly threads: Threads
  private readonly indices = new Map<string, number>()
  private readonly indexCache = new WeakMap<ResolvedTask, number>()
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
  submitted = 0
  /** Runs without an outcome. */
  private unsettled = 0
  private lastId = 0
  private preloadFailures: ReadonlyArray<protocol.PreloadFailure> = []
  private readonly readyWatchers = new Set<() => void>()
  private readonly idleWatchers = new Set<() => void>()
  private closing: Closing | undefined
  private keptAlive = false

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
      onTerminating: (thread) => this.onTerminating(thread),
      onAbandoned: (thread) => this.onAbandoned(thread),
      onEnded: (thread, exit, previous) => this.onEnded(thread, exit, previous),
      onStartFailed: (attempt, cause) => this.onEvent({ _tag: "StartFailed", attempt, cause }),
      onNoThreads: (attempts, cause) => this.onNoThreads(attempts, cause),
      onRetry: () => this.pump()
    })
    this.threads.start(0)
  }

  get queueDepth(): number {
    return this.queue.size
  }

  get suspended(): number {
    return this.waiting.size
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

  submit(
    task: ResolvedTask,
    args: Array<unknown>,
    onEnd: (exit: RunExit) => void,
    onAccepted?: (run: Run) => void
  ): Run {
    const run = this.makeRun(task, onEnd)
    run.onAccepted = onAccepted
    if (this.closing !== undefined) {
      this.settle(run, failure(run, () => new ShutDown()))
    } else if (this.pack(run, args)) {
      this.admit(run)
    }
    return run
  }

  /** Asks for a thread to hold; it comes to `onGranted`, unless `onEnd` comes first. */
  requestLease(task: ResolvedTask, onGranted: (thread: PoolThread) => void, onEnd: (exit: RunExit) => void): Run {
    const run = this.makeRun(task, onEnd)
    run.onGranted = onGranted
    run.parcel = { values: [], transfer: undefined }
    if (this.closing !== undefined) this.settle(run, failure(run, () => new ShutDown()))
    else this.admit(run)
    return run
  }

  private makeRun(task: ResolvedTask, onEnd: (exit: RunExit) => void): Run {
    this.submitted++
    this.unsettled++
    return new Run(++this.lastId, task, this.host.now(), onEnd)
  }

  /** Makes the arguments ready to be sent, or ends the run. */
  private pack(run: Run, args: Array<unknown>): boolean {
    try {
      const values = run.task.codec === undefined ? args : run.task.codec.encodeArguments(args)
      const transfer = takeMoved(values)
      if (transfer === undefined) {
        for (let i = 0; i < values.length; i++) values[i] = compact(values[i])
      }
      run.parcel = { values, transfer }
      return true
    } catch (error) {
      if (!(error instanceof NotCloneableError)) throw error
      const { message: detail, path, side } = error
      this.settle(run, failure(run, () => new NotCloneable({ side, path, detail })))
      return false
    }
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
    }
    this.watchQueueTimeLimit(run)
    this.updateKeepAlive()
  }

  /** Gives the run to an idle thread, or queues it. */
  private accept(run: Run): void {
    const thread = this.threads.takeIdle()
    if (thread !== undefined) {
      if (this.assign(thread, run)) run.onAccepted?.(run)
      else this.threads.putBack(thread)
      return
    }
    try {
      run.parcel = snapshot(run.parcel!)
    } catch (error) {
      return this.settle(run, this.notCloneable(run, error))
    }
    run.state = Queued
    this.queue.push(run)
    run.onAccepted?.(run)
    this.threads.start(this.queue.size)
  }

  private notCloneable(run: Run, error: unknown): Outcome {
    const found = findUncloneable(run.parcel!.values, "arguments") ?? { path: "arguments", detail: String(error) }
    return failure(run, () => new NotCloneable({ side: "argument", ...found }))
  }

  private watchQueueTimeLimit(run: Run): void {
    const limitMillis = run.task.queueTimeLimitMillis
    if (limitMillis === undefined || (run.state !== Waiting && run.state !== Queued)) return
    run.cancelTimer = this.after(run.submittedAt + limitMillis - this.host.now(), () => {
      run.list!.remove(run)
      const queueDepth = this.queue.size + this.waiting.size
      this.settle(run, failure(run, () => new QueueTimedOut({ limitMillis, queueDepth })))
      this.pump()
    })
  }

  // ---------------------------------------------------------------------------
  // Dispatch
  // ---------------------------------------------------------------------------

  /** Sends a run to a thread; `false` if its arguments cannot cross, which ends the run and spares the thread. */
  private assign(thread: PoolThread, run: Run): boolean {
    run.cancelTimer?.()
    run.cancelTimer = undefined
    if (run.onGranted !== undefined) {
      run.state = Assigned
      run.thread = thread
      run.onGranted(thread)
      return true
    }
    const { task } = run
    const index = this.indexOf(task)
    if (thread.defined[index] === undefined) {
      thread.thread.post([protocol.Define, index, task.module, task.name], undefined)
      thread.defined[index] = true
    }
    const sequence = thread.nextSequence()
    const { transfer, values } = run.parcel!
    controlBlock.offer(thread.control, sequence)
    try {
      thread.thread.post([protocol.Run, sequence, index, values], transfer)
    } catch (error) {
      this.settle(run, this.notCloneable(run, error))
      return false
    }
    run.state = Assigned
    run.thread = thread
    run.sequence = sequence
    thread.assigned.push(run)
    if (task.timeLimitMillis !== undefined) this.watchTimeLimit(run, task.timeLimitMillis, task.timeLimitMillis)
    return true
  }

  private indexOf(task: ResolvedTask): number {
    let index = this.indexCache.get(task)
    if (index === undefined) {
      const id = `${task.module}\n${task.name}`
      index = this.indices.get(id) ?? this.indices.size
      this.indices.set(id, index)
      this.indexCache.set(task, index)
    }
    return index
  }

  // The limit is of running: the thread tells in its control block when it entered
  // the body, so the timer can only have been early, never late.
  private watchTimeLimit(run: Run, limit: number, delay: number): void {
    run.cancelTimer = this.after(delay, () => {
      const startedAt = controlBlock.startedAt(run.thread!.control, run.sequence)
      const left = startedAt === undefined ? limit : startedAt + limit - this.host.now()
      if (left > 0) return this.watchTimeLimit(run, limit, left)
      this.raise(run, "TimeLimit")
    })
  }

  /** Restores the balance after any change: work for idle threads, room for the suspended, threads for the queue. */
  private pump(): void {
    while (this.queue.size > 0 && this.threads.idleCount > 0) {
      const thread = this.threads.takeIdle()!
      if (!this.assign(thread, this.queue.shift()!)) this.threads.putBack(thread)
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
    if (this.closing !== undefined && this.queue.size === 0) this.threads.retire(thread)
    else this.threads.rest(thread)
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
  makeLeasedRun(task: ResolvedTask, args: Array<unknown>, onEnd: (exit: RunExit) => void): Run | undefined {
    const run = this.makeRun(task, onEnd)
    if (this.closing !== undefined) this.settle(run, failure(run, () => new ShutDown()))
    else if (this.pack(run, args)) return run
    return undefined
  }

  /** Sends a run to a leased thread, which must be free. */
  submitTo(thread: PoolThread, run: Run): void {
    if (!this.assign(thread, run)) this.free(thread)
    this.updateKeepAlive()
  }

  /** Ends a run that no thread will take. */
  fail(run: Run, makeReason: () => JoinErrorReason): void {
    this.settle(run, failure(run, makeReason))
  }

  // ---------------------------------------------------------------------------
  // Outcomes
  // ---------------------------------------------------------------------------

  private settle(run: Run, { exit, kind }: Outcome): void {
    if (run.state === Done) return
    run.state = Done
    run.endedAt = this.host.now()
    run.cancelTimer?.()
    run.cancelTimer = undefined
    run.parcel = undefined
    this.unsettled--
    this.outcomes[kind]++
    run.onEnd(exit)
    const { observers } = run
    if (observers !== undefined) {
      run.observers = undefined
      for (const observer of observers) observer()
    }
    if (this.unsettled === 0) {
      for (const watcher of Array.from(this.idleWatchers)) watcher()
      this.updateKeepAlive()
    }
  }

  /** Calls back when the run has ended; the answer forgets it. */
  observe(run: Run, observer: () => void): () => void {
    const observers = run.observers ??= []
    observers.push(observer)
    return () => {
      const index = observers.indexOf(observer)
      if (index >= 0) observers.splice(index, 1)
    }
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
        return this.pump()
      }
      case Assigned: {
        if (run.onGranted !== undefined) return
        if (controlBlock.revoke(run.thread!.control, run.sequence)) {
          run.stop = by
          this.settle(run, cancelledInQueue(run))
        } else {
          this.raise(run, by)
        }
      }
    }
  }

  /** The ladder, first step: the flag, at once. The thread decides when it is free again, nobody else. */
  private raise(run: Run, by: StopBy): void {
    const thread = run.thread!
    run.stop ??= by
    controlBlock.requestStop(thread.control, run.sequence)
    const climbs = by === "TimeLimit" || by === "Shutdown" || run.task.onInterrupt === "stop"
    if (climbs && thread.state === "Ready" && thread.cancelLadder === undefined) {
      const grace = run.task.graceMillis ?? this.options.graceMillis
      thread.setLadder(this.after(grace, () => this.threads.terminate(thread)))
    }
  }

  /** Second step: the end of the thread. What it has not claimed runs elsewhere (C4). */
  private onTerminating(thread: PoolThread): void {
    const { running } = thread
    if (running !== undefined) this.closing?.report.terminated.push(running.task.name)
    this.takeBack(thread)
    this.pump()
  }

  /** Third step: the thread sits in native code, and its caller goes on without it. */
  private onAbandoned(thread: PoolThread): void {
    const { running } = thread
    thread.stuckOn = running
    if (running !== undefined) this.closing?.report.abandoned.push(running.task.name)
    this.onEvent({ _tag: "ThreadAbandoned", threadId: thread.thread.threadId, task: running?.task.name })
    const outcomes = this.endAssigned(
      thread,
      (run) => run.stop === undefined ? failure(run, () => new WorkerExited({})) : stopped(run, "Abandoned")
    )
    this.afterLoss(thread, undefined, outcomes)
  }

  /** Puts what the thread has not claimed back to the head of the queue, in its order. */
  private takeBack(thread: PoolThread): void {
    for (let i = thread.assigned.length - 1; i >= 0; i--) {
      const run = thread.assigned[i]!
      if (run.state !== Assigned || !controlBlock.revoke(thread.control, run.sequence)) continue
      thread.assigned.splice(i, 1)
      run.cancelTimer?.()
      run.cancelTimer = undefined
      if (thread.lease !== undefined || run.parcel!.transfer !== undefined) {
        // The state it was for, or the buffers it was sent with, are gone with the thread.
        this.fail(run, () => new WorkerExited({}))
      } else if (this.closing !== undefined && !run.task.mandatory) {
        run.stop = "Shutdown"
        this.closing.report.cancelled++
        this.settle(run, cancelledInQueue(run))
      } else {
        run.thread = undefined
        run.state = Queued
        this.queue.unshift(run)
        this.watchQueueTimeLimit(run)
      }
    }
  }

  private endAssigned(thread: PoolThread, end: (run: Run) => Outcome): Array<readonly [Run, Outcome]> {
    const outcomes = thread.assigned.filter((run) => run.state !== Done).map((run) => [run, end(run)] as const)
    thread.assigned.length = 0
    return outcomes
  }

  // ---------------------------------------------------------------------------
  // Threads
  // ---------------------------------------------------------------------------

  private onNoThreads(attempts: number, cause: unknown): void {
    for (const run of [...this.queue.toArray(), ...this.waiting.toArray()]) {
      if (run.list === undefined) continue
      run.list.remove(run)
      this.fail(run, () => new SpawnFailed({ attempts, cause }))
    }
    this.noThreads = { attempts, cause }
    for (const watcher of Array.from(this.readyWatchers)) watcher()
    this.noThreads = undefined
  }

  /** Set while the watchers of a prewarm are told that it has failed. */
  private noThreads: { readonly attempts: number; readonly cause: unknown } | undefined

  private onMessage(thread: PoolThread, message: protocol.FromThread): void {
    if (message[0] === protocol.Results) {
      this.onResults(thread, message)
    } else if (message[0] === protocol.Stray) {
      const error = decode(message[1], [])
      this.onEvent({ _tag: "StrayError", threadId: thread.thread.threadId, task: message[2], error })
    }
  }

  private onReady(thread: PoolThread, preloadFailures: ReadonlyArray<protocol.PreloadFailure>): void {
    this.preloadFailures = preloadFailures
    for (const { cause, module } of preloadFailures) {
      this.onEvent({ _tag: "PreloadFailed", module, cause: decode(cause, []) })
    }
    this.free(thread)
    this.pump()
    for (const watcher of Array.from(this.readyWatchers)) watcher()
  }

  private onResults(thread: PoolThread, message: protocol.ResultsMessage): void {
    const outcomes: Array<readonly [Run, Outcome]> = []
    for (let i = 1; i < message.length; i += protocol.resultStride) {
      const run = thread.assigned[0]
      // What was taken back from a thread that is being terminated may still be reported.
      if (run === undefined || run.sequence !== message[i]) continue
      thread.assigned.shift()
      if (run.state === Done) continue
      run.startedAt = message[i + 3] as number
      outcomes.push([run, reported(run, message[i + 1] as number, message[i + 2])])
    }
    // A stop was for a run that has ended: its ladder goes no further.
    if (thread.state === "Ready" && thread.running?.stop === undefined) thread.clearLadder()
    this.free(thread)
    this.pump()
    for (const [run, outcome] of outcomes) this.settle(run, outcome)
  }

  private onEnded(thread: PoolThread, exit: ThreadExit, previous: ThreadState): void {
    this.takeBack(thread)
    const outcomes = this.endAssigned(thread, (run) => {
      if (run.stop !== undefined && previous === "Terminating") return stopped(run, "Terminated")
      if (previous !== "Terminating" && !exit.outOfMemory && !controlBlock.wasEntered(thread.control, run.sequence)) {
        return failure(run, () => new LoadFailed(loadFailure(run.task.module, diedLoading(exit), [])))
      }
      if (exit.outOfMemory) return failure(run, () => new OutOfMemory({ limits: this.options.resourceLimits }))
      const { cause, exitCode, signal } = exit
      return failure(
        run,
        () =>
          new WorkerExited({
            ...(exitCode === undefined ? {} : { exitCode }),
            ...(signal === undefined ? {} : { signal }),
            ...(cause === undefined ? {} : { cause })
          })
      )
    })
    if (previous === "Ready" && outcomes.length === 0) {
      this.onEvent({ _tag: "ThreadLost", threadId: thread.thread.threadId, exit })
    }
    this.afterLoss(thread, exit.exitCode, outcomes)
  }

  private afterLoss(
    thread: PoolThread,
    exitCode: number | undefined,
    outcomes: ReadonlyArray<readonly [Run, Outcome]>
  ): void {
    const { lease } = thread
    thread.lease = undefined
    this.pump()
    for (const [run, outcome] of outcomes) this.settle(run, outcome)
    lease?.onLost(exitCode)
    if (this.closing !== undefined && this.threads.all.size === 0) this.closed()
  }

  /** Asks for `count` ready threads and calls back, once, with what came of it. */
  prewarm(count: number, onReady: (failed: PrewarmFailure | undefined) => void): () => void {
    const target = Math.min(count, this.options.maxThreads)
    this.threads.want(target)
    const watcher = (): void => {
      const ready = this.closing === undefined && this.threads.readyCount >= target
      if (!ready && this.noThreads === undefined && this.closing === undefined) return
      this.readyWatchers.delete(watcher)
      this.updateKeepAlive()
      const preloadFailure = this.preloadFailures[0]
      onReady(
        ready
          ? preloadFailure === undefined ? undefined : { _tag: "LoadFailed", ...preloadFailure }
          : this.noThreads === undefined
          ? { _tag: "ShutDown" }
          : { _tag: "SpawnFailed", ...this.noThreads }
      )
    }
    this.readyWatchers.add(watcher)
    this.threads.start(this.queue.size)
    this.updateKeepAlive()
    watcher()
    return () => {
      this.readyWatchers.delete(watcher)
      this.updateKeepAlive()
    }
  }

  // ---------------------------------------------------------------------------
  // Shutdown
  // ---------------------------------------------------------------------------

  /** Refuses new tasks, ends the old ones, and calls back when every thread is gone or was given up (D4). */
  close(onClosed: (report: ShutdownReport) => void): void {
    const closing: Closing = { report: { cancelled: 0, terminated: [], abandoned: [] }, timers: [], onClosed }
    this.closing = closing
    this.threads.close()
    const { graceMillis, shutdownMillis } = this.options
    // Whatever the own grace period of a task, all threads are being terminated from the
    // second timer on, and what terminates is gone or abandoned `terminateMillis` later.
    closing.timers.push(
      this.after(shutdownMillis, () => this.stopAll()),
      this.after(shutdownMillis + graceMillis, () => this.terminateAll())
    )
    this.updateKeepAlive()
    for (const run of this.waiting.toArray()) {
      if (run.list === undefined) continue
      run.list.remove(run)
      this.settle(run, failure(run, () => new ShutDown()))
    }
    for (const run of this.queue.toArray()) {
      if (!run.task.mandatory) this.cancelQueued(run)
    }
    for (const watcher of Array.from(this.readyWatchers)) watcher()
    if (this.queue.size === 0) this.threads.endUnused()
    this.pump()
    if (this.threads.all.size === 0 && this.queue.size === 0) this.closed()
  }

  private cancelQueued(run: Run): void {
    if (run.list === undefined) return
    run.list.remove(run)
    run.stop = "Shutdown"
    this.closing!.report.cancelled++
    this.settle(run, cancelledInQueue(run))
  }

  private stopAll(): void {
    for (const run of this.queue.toArray()) this.cancelQueued(run)
    this.threads.endUnused()
    for (const thread of Array.from(this.threads.all)) {
      for (const run of thread.assigned.slice()) this.stop(run, "Shutdown")
      if (thread.lease !== undefined && thread.assigned.length === 0) this.threads.terminate(thread)
    }
    if (this.threads.all.size === 0) this.closed()
  }

  private terminateAll(): void {
    for (const thread of Array.from(this.threads.all)) this.threads.terminate(thread)
  }

  private closed(): void {
    const { closing } = this
    if (closing === undefined || closing.done === true) return
    closing.done = true
    for (const cancel of closing.timers) cancel()
    this.updateKeepAlive()
    closing.onClosed(closing.report)
  }

  // ---------------------------------------------------------------------------
  // Time and life
  // ---------------------------------------------------------------------------

  private after(delayMillis: number, callback: () => void): () => void {
    return after(this.host, delayMillis, callback)
  }

  /** Work keeps the process alive; idle threads and their timers do not (P2). */
  private updateKeepAlive(): void {
    const active = this.unsettled > 0 || this.readyWatchers.size > 0 ||
      (this.closing !== undefined && this.closing.done !== true)
    if (active === this.keptAlive) return
    this.keptAlive = active
    this.host.keepAlive(active)
  }
}

const diedLoading = (exit: ThreadExit): Error =>
  new Error(
    `The thread ended with exit code ${exit.exitCode} while it loaded the module. ` +
      "Does the module start the program? Guard that with Task.inPoolThread(), or start it with NodeBlocking.runMain",
    { cause: exit.cause }
  )

interface Closing {
  readonly report: ShutdownReport
  readonly timers: Array<() => void>
  readonly onClosed: (report: ShutdownReport) => void
  done?: boolean
}

export type PrewarmFailure =
  | { readonly _tag: "ShutDown" }
  | { readonly _tag: "SpawnFailed"; readonly attempts: number; readonly cause: unknown }
  | ({ readonly _tag: "LoadFailed" } & protocol.PreloadFailure)
