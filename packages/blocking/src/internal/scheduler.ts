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
import { compact, findUncloneable, isMutable, NotCloneableError, snapshot, takeMoved } from "./cloneable.ts"
import * as controlBlock from "./controlBlock.ts"
import { Distribution } from "./distribution.ts"
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

/**
 * How long a batch is meant to keep its thread busy, by the mean time of its tasks.
 * Measured: ten times what the message costs; longer batches gain little and make
 * what is behind them wait.
 */
const batchMillis = 0.5

/** A task that runs longer has stalled what was sent behind it. Arbitrary: above the batch, about a timer's tick. */
const stallMillis = 1

/** A thread that has not claimed the first of its tasks by then is busy with something else. Arbitrary. */
const unresponsiveMillis = 20

/** Upper bounds of the buckets in which waits and run times are counted, in milliseconds. */
export const durationBoundaries: ReadonlyArray<number> = [
  0.01,
  0.03,
  0.1,
  0.3,
  1,
  3,
  10,
  30,
  100,
  300,
  1000,
  3000,
  10_000
]

/** The weight of one run in the mean time of its task. Arbitrary: forgets an outlier in about twenty runs. */
const meanWeight = 0.2

export class Scheduler {
  /** Accepted, and not on a thread. */
  private readonly queue = new RunList()
  /** Their submitters are suspended, because the queue is full. */
  private readonly waiting = new RunList()
  readonly threads: Threads
  private readonly indices = new Map<string, number>()
  private readonly indexCache = new WeakMap<ResolvedTask, number>()
  /** By index: how long the body of a task runs, in milliseconds; `undefined` until it has once. */
  private readonly meanMillis: Array<number | undefined> = []
  private cancelWatch: (() => void) | undefined
  private watchAt = Infinity
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
  readonly queueWait = new Distribution(durationBoundaries)
  readonly runTime = new Distribution(durationBoundaries)
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

  get runningCount(): number {
    let count = 0
    for (const thread of this.threads.all) if (thread.running !== undefined) count++
    return count
  }

  get isIdle(): boolean {
    return this.unsettled === 0
  }

  get isClosing(): boolean {
    return this.closing !== undefined
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
    onEnd: (exit: RunExit, run: Run) => void,
    onAccepted?: (run: Run) => void
  ): Run {
    const run = this.makeRun(task, args, onEnd)
    run.onAccepted = onAccepted
    if (this.closing !== undefined) {
      this.settle(run, failure(run, () => new ShutDown()))
    } else if (this.pack(run)) {
      this.admit(run)
    }
    return run
  }

  /** Asks for a thread to hold; it comes to `onGranted`, unless `onEnd` comes first. */
  requestLease(
    task: ResolvedTask,
    onGranted: (thread: PoolThread) => void,
    onEnd: (exit: RunExit, run: Run) => void
  ): Run {
    const run = this.makeRun(task, [], onEnd)
    run.onGranted = onGranted
    if (this.closing !== undefined) this.settle(run, failure(run, () => new ShutDown()))
    else this.admit(run)
    return run
  }

  private makeRun(task: ResolvedTask, args: Array<unknown>, onEnd: (exit: RunExit, run: Run) => void): Run {
    this.submitted++
    this.unsettled++
    return new Run(++this.lastId, task, args, this.host.now(), onEnd)
  }

  /** Makes the arguments ready to be sent, or ends the run. The caller's array is left as it is. */
  private pack(run: Run): boolean {
    const { codec } = run.task
    if (codec !== undefined) {
      try {
        run.args = codec.encodeArguments(run.args)
      } catch (error) {
        if (!(error instanceof NotCloneableError)) throw error
        const { message: detail, path, side } = error
        this.settle(run, failure(run, () => new NotCloneable({ side, path, detail })))
        return false
      }
    }
    run.transfer = takeMoved(run.args)
    if (run.transfer === undefined) {
      for (let i = 0; i < run.args.length; i++) {
        const value = run.args[i]
        const compacted = compact(value)
        if (compacted !== value) run.args = run.args.with(i, compacted)
      }
    }
    return true
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
    if (run.transfer !== undefined || run.args.some(isMutable)) {
      try {
        const [args, transfer] = snapshot(run.args, run.transfer)
        run.args = args
        run.transfer = transfer
      } catch (error) {
        return this.settle(run, this.notCloneable(run, error))
      }
    }
    run.state = Queued
    this.queue.push(run)
    run.onAccepted?.(run)
    this.threads.start(this.queue.size)
  }

  private notCloneable(run: Run, error: unknown): Outcome {
    const found = findUncloneable(run.args, "arguments") ?? { path: "arguments", detail: String(error) }
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

  /** Sends one run to a thread; `false` if its arguments cannot cross, which ends the run and spares the thread. */
  private assign(thread: PoolThread, run: Run): boolean {
    if (run.onGranted !== undefined) {
      this.grant(thread, run)
      return true
    }
    const message: protocol.RunMessage = [protocol.Run]
    this.addTo(message, thread, run)
    try {
      thread.thread.post(message, run.transfer)
    } catch (error) {
      thread.assigned.pop()
      this.settle(run, this.notCloneable(run, error))
      return false
    }
    this.watchThread(thread)
    return true
  }

  private grant(thread: PoolThread, run: Run): void {
    run.cancelTimer?.()
    run.cancelTimer = undefined
    run.state = Assigned
    run.thread = thread
    run.onGranted!(thread)
  }

  private addTo(message: protocol.RunMessage, thread: PoolThread, run: Run): void {
    const { task } = run
    const index = this.indexOf(task)
    if (thread.defined[index] === undefined) {
      thread.thread.post([protocol.Define, index, task.module, task.name], undefined)
      thread.defined[index] = true
    }
    if (run.cancelTimer !== undefined) {
      run.cancelTimer()
      run.cancelTimer = undefined
    }
    const sequence = thread.nextSequence()
    controlBlock.offer(thread.control, sequence)
    run.state = Assigned
    run.thread = thread
    run.sequence = sequence
    thread.assigned.push(run)
    message.push(sequence, index, run.args)
  }

  /**
   * Deals the queue out to idle threads, in turn, so that tasks start in the order in
   * which they came. A thread gets as many as keep it busy for a moment; a task that is
   * long, or not known yet, travels alone.
   */
  private deal(): void {
    const { queue, threads } = this
    const hands: Array<Hand> = []
    while (hands.length < queue.size) {
      const thread = threads.takeIdle()
      if (thread === undefined) break
      hands.push({ thread, message: [protocol.Run], transfer: undefined, millis: 0, full: false })
    }
    let open = hands.length
    for (let i = 0; open > 0; i = (i + 1) % hands.length) {
      const hand = hands[i]!
      if (hand.full) continue
      const run = queue.peek()
      if (run === undefined) break
      const first = hand.thread.assigned.length === 0
      // Moved buffers cannot be taken back, so nothing may hold up the task that they are for.
      const alone = run.onGranted !== undefined || run.transfer !== undefined
      const cost = alone ? Infinity : this.meanMillis[this.indexOf(run.task)] ?? Infinity
      if (!first && hand.millis + cost > batchMillis) {
        hand.full = true
        open--
        continue
      }
      queue.shift()
      if (run.onGranted !== undefined) {
        hand.full = true
        open--
        this.grant(hand.thread, run)
        continue
      }
      this.addTo(hand.message, hand.thread, run)
      hand.transfer = run.transfer
      hand.millis += cost
      if (hand.thread.assigned.length === controlBlock.capacity) {
        hand.full = true
        open--
      }
    }
    for (const { message, thread, transfer } of hands) {
      if (message.length === 1) {
        if (thread.lease === undefined) threads.putBack(thread)
        continue
      }
      try {
        thread.thread.post(message, transfer)
        this.watchThread(thread)
      } catch {
        // What was queued could be cloned before, but not all of it is a copy: a task taken
        // back from a thread still has its caller's arguments. One by one the culprit is found.
        for (const run of thread.assigned.splice(0)) this.assign(thread, run)
        this.free(thread)
      }
    }
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

  // ---------------------------------------------------------------------------
  // Watching
  // ---------------------------------------------------------------------------

  /** The thread has just been sent something: looks after it as soon as that can matter. */
  private watchThread(thread: PoolThread): void {
    thread.sentAt = this.host.now()
    const delay = this.inspect(thread)
    if (delay !== Infinity) this.watch(delay)
  }

  /** One timer for the pool, whatever the number of tasks. */
  private watch(delayMillis: number): void {
    const at = this.host.now() + delayMillis
    if (at >= this.watchAt) return
    this.cancelWatch?.()
    this.watchAt = at
    this.cancelWatch = this.after(delayMillis, () => {
      this.watchAt = Infinity
      this.cancelWatch = undefined
      let next = Infinity
      for (const thread of Array.from(this.threads.all)) {
        if (thread.assigned.length === 0) continue
        // What has ended in the block need not wait for the message about it.
        this.collect(thread)
        next = Math.min(next, this.inspect(thread))
      }
      if (next !== Infinity) this.watch(next)
    })
  }

  /** Acts on a run over its time limit and on a batch that does not go on; says when to look again. */
  private inspect(thread: PoolThread): number {
    const { assigned, control } = thread
    if (thread.state !== "Ready") return Infinity
    const now = this.host.now()
    const behind = assigned.length > 1
    let next = behind ? stallMillis : Infinity
    for (const run of assigned) {
      const limit = run.task.timeLimitMillis
      if (limit === undefined || run.state === Done || run.stop === "TimeLimit") continue
      // The thread tells in its block when it entered the body: no wait counts.
      const startedAt = controlBlock.startedAt(control, run.sequence)
      const left = startedAt === undefined ? limit : startedAt + limit - now
      if (left <= 0) this.raise(run, "TimeLimit")
      else next = Math.min(next, left)
    }
    if (behind && (this.threads.idleCount > 0 || this.threads.startable > 0)) {
      const { running } = thread
      const since = running === undefined ? undefined : controlBlock.startedAt(control, running.sequence)
      const stalled = running === undefined
        ? now - thread.sentAt > unresponsiveMillis
        : since !== undefined && now - since > stallMillis
      if (stalled) {
        this.takeBack(thread)
        this.pump()
      }
    }
    return next
  }

  /** Restores the balance after any change: work for idle threads, room for the suspended, threads for the queue. */
  private pump(): void {
    if (this.queue.size > 0 && this.threads.idleCount > 0) this.deal()
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
  makeLeasedRun(task: ResolvedTask, args: Array<unknown>, onEnd: (exit: RunExit, run: Run) => void): Run | undefined {
    const run = this.makeRun(task, args, onEnd)
    if (this.closing !== undefined) this.settle(run, failure(run, () => new ShutDown()))
    else if (this.pack(run)) return run
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
    this.settleAs(run, kind, exit)
  }

  private settleAs(run: Run, kind: OutcomeKind, exit: RunExit): void {
    if (run.state === Done) return
    run.state = Done
    if (run.cancelTimer !== undefined) {
      run.cancelTimer()
      run.cancelTimer = undefined
    }
    // A handle keeps the run: it need not keep the arguments.
    run.args = noArguments
    run.transfer = undefined
    if (run.endedAt === 0) run.endedAt = this.host.now()
    this.unsettled--
    this.outcomes[kind]++
    run.onEnd(exit, run)
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
      thread.setLadder(this.after(grace, () => {
        thread.cancelLadder = undefined
        // It may have ended just now, without a message yet.
        this.collect(thread)
        if (run.state !== Done) this.threads.terminate(thread)
      }))
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
    this.collect(thread)
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

  /**
   * Puts what the thread has not claimed back to the head of the queue, in its order.
   * If that is all it has, the thread is still busy until it has passed the last.
   */
  private takeBack(thread: PoolThread): void {
    const taken: Array<Run> = []
    for (let i = thread.assigned.length - 1; i >= 0; i--) {
      const run = thread.assigned[i]!
      if (run.state !== Assigned || !controlBlock.revoke(thread.control, run.sequence)) continue
      if (thread.assigned.length === 1 && thread.state === "Ready") thread.assigned[0] = passedOver(run)
      else thread.assigned.splice(i, 1)
      taken.push(run)
    }
    for (const run of taken) {
      if (thread.lease !== undefined || run.transfer !== undefined) {
        // The state it was for, or the buffers it was sent with, went to that thread.
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
    if (message[0] === protocol.Progress) {
      this.collect(thread, message)
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

  /**
   * Takes in what the thread is done with, gives it its next tasks, and only then tells
   * the outcomes: the fibers that they resume can take long.
   */
  private collect(thread: PoolThread, message?: protocol.ProgressMessage): void {
    const count = this.countEnded(thread, message?.[1])
    if (count === 0) return
    const { control } = thread
    const runs = thread.assigned.splice(0, count)
    const values: Array<unknown> = []
    for (const run of runs) {
      const { sequence } = run
      // Read before the thread gets other tasks, which use the same cells.
      values.push(controlBlock.result(control, sequence))
      if (run.state === Done) continue
      const startedAt = controlBlock.startTime(control, sequence)
      const endedAt = controlBlock.endTime(control, sequence)
      run.startedAt = startedAt
      run.endedAt = endedAt
      if (startedAt === 0) continue
      this.learn(run.task, endedAt - startedAt)
      this.queueWait.record(startedAt - run.submittedAt)
      this.runTime.record(endedAt - startedAt)
    }
    const posted = message !== undefined && message.length > 1 ? runs[count - 1] : undefined
    // A stop was for a run that has ended: its ladder goes no further.
    if (thread.state === "Ready" && thread.cancelLadder !== undefined && thread.running?.stop === undefined) {
      thread.clearLadder()
    }
    this.free(thread)
    this.pump()
    for (let i = 0; i < count; i++) {
      const run = runs[i]!
      if (run.state === Done) continue
      if (run === posted) this.settle(run, reported(run, message![2]!, message![3]))
      else if (run.stop !== "TimeLimit" && run.task.codec === undefined) {
        this.settleAs(run, "Succeeded", Exit.succeed(values[i]))
      } else this.settle(run, reported(run, protocol.Succeeded, values[i]))
    }
  }

  /** How many of a thread's tasks it is done with; not beyond one whose result is still on its way. */
  private countEnded(thread: PoolThread, posted: number | undefined): number {
    const { assigned, control } = thread
    const passed = controlBlock.passed(control)
    let count = 0
    for (const { sequence } of assigned) {
      if (!controlBlock.isUpTo(sequence, passed)) break
      if (
        sequence !== posted && controlBlock.hasEnded(control, sequence) &&
        controlBlock.resultKind(control, sequence) === controlBlock.Posted
      ) break
      count++
      if (sequence === posted) break
    }
    return count
  }

  private learn(task: ResolvedTask, millis: number): void {
    const index = this.indexOf(task)
    const mean = this.meanMillis[index]
    this.meanMillis[index] = mean === undefined ? millis : mean + (millis - mean) * meanWeight
  }

  private onEnded(thread: PoolThread, exit: ThreadExit, previous: ThreadState): void {
    this.collect(thread)
    this.takeBack(thread)
    const outcomes = this.endAssigned(thread, (run) => {
      if (run.stop !== undefined && previous === "Terminating") return stopped(run, "Terminated")
      if (previous !== "Terminating" && !exit.outOfMemory && !controlBlock.isEntered(thread.control, run.sequence)) {
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
    this.closeIfDone()
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
    this.closeIfDone()
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
    this.closeIfDone()
  }

  private terminateAll(): void {
    for (const thread of Array.from(this.threads.all)) this.threads.terminate(thread)
  }

  /** A mandatory task can still be waiting for a thread when there is none. */
  private closeIfDone(): void {
    const { closing } = this
    if (closing === undefined || closing.done === true || this.threads.all.size > 0 || this.queue.size > 0) return
    closing.done = true
    for (const cancel of closing.timers) cancel()
    this.cancelWatch?.()
    this.threads.close()
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

/** What is dealt to one thread. */
interface Hand {
  readonly thread: PoolThread
  readonly message: protocol.RunMessage
  transfer: Array<object> | undefined
  millis: number
  full: boolean
}

const noArguments: Array<unknown> = []

/** Stands for a run that was taken back, until its thread has passed it. */
const passedOver = (run: Run): Run => {
  const passed = new Run(run.id, run.task, noArguments, run.submittedAt, () => {})
  passed.state = Done
  passed.sequence = run.sequence
  return passed
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
