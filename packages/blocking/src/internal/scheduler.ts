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
import { compact, describe, findUncloneable, isMutable, NotCloneableError, snapshot, takeMoved } from "./cloneable.ts"
import * as controlBlock from "./controlBlock.ts"
import { Distribution } from "./distribution.ts"
import { cancelledInQueue, failure, loadFailure, type Outcome, type OutcomeKind, reported, stopped } from "./outcome.ts"
import type { PoolThread, ThreadState } from "./poolThread.ts"
import * as protocol from "./protocol.ts"
import type { ResolvedTask } from "./resolvedTask.ts"
import { Assigned, Done, Queued, Run, type RunExit, RunList, type StopBy, Waiting } from "./run.ts"
import { after, startTimeoutMillis, Threads, type ThreadsOptions } from "./threads.ts"
import { decode } from "./thrown.ts"

export interface SchedulerOptions extends ThreadsOptions {
  readonly queueCapacity: number
  readonly onFull: "suspend" | "fail"
  readonly shutdownMillis: number
  readonly resourceLimits: Readonly<Record<string, number>>
}

/** What deserves a line in the log; nobody else hears of it. */
export type SchedulerEvent =
  | { readonly _tag: "ThreadWedged"; readonly threadId: number; readonly millis: number }
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

/** A thread that claims nothing for so long is given up. Arbitrary: longer than any pause of the machine. */
const wedgedMillis = 5000

/** A task that has lost so many threads before they claimed it is failed: it may be what ends them. */
const maxLosses = 2

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
  private readonly readyWatchers = new Set<(failed?: PrewarmFailure) => void>()
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
      onMessageError: (thread, error) => this.onMessageError(thread, error),
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
    try {
      if (codec !== undefined) run.args = codec.encodeArguments(run.args)
      run.transfer = takeMoved(run.args)
      for (let i = 0; i < run.args.length; i++) {
        const value = run.args[i]
        const compacted = compact(value)
        if (compacted !== value) run.args = run.args.with(i, compacted)
      }
      return true
    } catch (error) {
      // A schema may also throw what is no answer of a codec, and any value can be hostile.
      const { detail, path, side } = error instanceof NotCloneableError
        ? { side: error.side, path: error.path, detail: error.message }
        : { side: "argument" as const, path: "arguments", detail: describe(error) }
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
      if (run.onGranted !== undefined) return this.grant(thread, run)
      const refused = this.assign(thread, run)
      if (refused === undefined) return run.onAccepted?.(run)
      // The thread is idle again before anyone hears of it.
      this.threads.putBack(thread)
      this.settle(run, refused)
      return this.pump()
    }
    this.enqueue(run, this.queue)
    if (run.state === Queued) {
      run.onAccepted?.(run)
      this.threads.start(this.queue.size)
    }
  }

  /** Lets a run wait, with arguments that are its own; ends it if they cannot be copied. */
  private enqueue(run: Run, list: RunList): void {
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
    list.push(run)
    if (list !== this.queue) this.watchQueueTimeLimit(run)
  }

  private notCloneable(run: Run, error: unknown): Outcome {
    const found = findUncloneable(run.args, "arguments") ?? { path: "arguments", detail: describe(error) }
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

  /** Sends one run to a thread. If its arguments cannot cross, answers what it comes to; the thread is spared. */
  private assign(thread: PoolThread, run: Run): Outcome | undefined {
    const message: protocol.RunMessage = [protocol.Run]
    this.addTo(message, thread, run)
    try {
      thread.thread.post(message, run.transfer)
    } catch (error) {
      thread.assigned.pop()
      return this.notCloneable(run, error)
    }
    this.watchThread(thread)
    return undefined
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
      hands.push({ thread, message: [protocol.Run], transfer: undefined, lease: undefined, millis: 0, full: false })
    }
    let open = hands.length
    for (let i = 0; open > 0; i = (i + 1) % hands.length) {
      const hand = hands[i]!
      if (hand.full) continue
      const run = queue.peek()
      if (run === undefined) break
      const first = hand.thread.assigned.length === 0
      // Moved buffers cannot be taken back, so nothing may hold up the task that they are for;
      // and who was with a thread that died may have been what killed it.
      const alone = run.onGranted !== undefined || run.transfer !== undefined || run.losses > 0
      const cost = alone ? Infinity : this.meanMillis[this.indexOf(run.task)] ?? Infinity
      if (!first && hand.millis + cost > batchMillis) {
        hand.full = true
        open--
        continue
      }
      queue.shift()
      if (run.onGranted !== undefined) {
        hand.lease = run
        hand.full = true
        open--
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
    const refused: Array<readonly [Run, Outcome]> = []
    for (const { lease, message, thread, transfer } of hands) {
      if (message.length === 1) {
        if (lease === undefined) threads.putBack(thread)
        continue
      }
      try {
        thread.thread.post(message, transfer)
        this.watchThread(thread)
      } catch {
        // What was queued could be cloned before, but not all of it is a copy: a task taken
        // back from a thread still has its caller's arguments. One by one the culprit is found.
        for (const run of thread.assigned.splice(0)) {
          const outcome = this.assign(thread, run)
          if (outcome !== undefined) refused.push([run, outcome])
        }
        this.free(thread)
      }
    }
    // Only now that all is dealt: who is told can call back in.
    for (const [run, outcome] of refused) this.settle(run, outcome)
    for (const { lease, thread } of hands) if (lease !== undefined) this.grant(thread, lease)
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
    let next = Infinity
    for (const run of assigned) {
      const limit = run.task.timeLimitMillis
      if (limit === undefined || run.state === Done || run.stop === "TimeLimit") continue
      // The thread tells in its block when it entered the body: no wait counts.
      const startedAt = controlBlock.startedAt(control, run.sequence)
      const left = startedAt === undefined ? limit : startedAt + limit - now
      if (left <= 0) this.raise(run, "TimeLimit")
      else next = Math.min(next, left)
    }
    // The first of its tasks keeps what is behind it waiting: by running, or loading its
    // module, or because the thread is in something that a task has left behind.
    const { running } = thread
    const since = running === undefined ? undefined : controlBlock.startedAt(control, running.sequence)
    const waited = now - (since ?? thread.sentAt)
    if (running === undefined || (running.state === Done && since === undefined)) {
      const limit = running === undefined ? wedgedMillis : startTimeoutMillis
      if (waited > limit) {
        this.onEvent({ _tag: "ThreadWedged", threadId: thread.thread.threadId, millis: limit })
        this.threads.terminate(thread)
        return Infinity
      }
      next = Math.min(next, Math.max(limit - waited, stallMillis))
    }
    if (running !== undefined && !behind) return next
    // A batch is looked after at every tick: its first task can be entered at any time.
    next = Math.min(next, behind ? stallMillis : unresponsiveMillis)
    const stalled = waited > (running === undefined ? unresponsiveMillis : stallMillis)
    const elsewhere = this.threads.idleCount > 0 || this.threads.startable > 0
    if (stalled && elsewhere && assigned.some((run) => run.state === Assigned)) {
      this.takeBack(thread)
      this.pump()
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

  /** Sends a run to a leased thread if that is free, and otherwise lets it wait in the lease's own queue. */
  submitTo(thread: PoolThread, run: Run, calls: RunList): void {
    if (thread.assigned.length > 0) return this.enqueue(run, calls)
    const refused = this.assign(thread, run)
    if (refused !== undefined) {
      this.settle(run, refused)
      this.free(thread)
    }
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
    const { observers, onEnd } = run
    // Who keeps a handle keeps the run, but not what its callbacks refer to.
    run.onEnd = ignore
    run.onAccepted = undefined
    onEnd(exit, run)
    run.thread = undefined
    if (observers !== undefined) {
      run.observers = undefined
      for (const observer of observers) observer()
    }
    if (this.unsettled === 0) {
      for (const watcher of Array.from(this.idleWatchers)) watcher()
      this.updateKeepAlive()
    }
  }

  /** Calls back when the run has ended. */
  observe(run: Run, observer: () => void): void {
    ;(run.observers ??= []).push(observer)
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
        } else if (controlBlock.isClaimed(run.thread!.control, run.sequence)) {
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
    if (!controlBlock.isEntered(thread.control, run.sequence)) {
      // Still claimed, it loads its module, and looks at the flag when it enters the body: it
      // will never run. Otherwise it has just ended, and its result is on the way.
      if (controlBlock.isClaimed(thread.control, run.sequence)) this.settle(run, cancelledInQueue(run))
      return
    }
    const climbs = by === "TimeLimit" || by === "Shutdown" || run.task.onInterrupt === "stop"
    if (!climbs || thread.state !== "Ready" || thread.ladderFor === run) return
    const grace = run.task.graceMillis ?? this.options.graceMillis
    const cancel = this.after(grace, () => {
      thread.clearLadder()
      // It may have ended just now, without a message yet. What is behind is taken back
      // first, so that the thread cannot be in another task when it is terminated.
      this.collect(thread)
      this.takeBack(thread)
      if (controlBlock.isClaimed(thread.control, run.sequence)) this.threads.terminate(thread)
      else this.pump()
    })
    thread.setLadder(cancel, run)
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
  private takeBack(thread: PoolThread, died?: ThreadExit): void {
    const taken: Array<Run> = []
    for (let i = thread.assigned.length - 1; i >= 0; i--) {
      const run = thread.assigned[i]!
      if (run.state !== Assigned) continue
      // Moved buffers, and what a lease is held for, are in that thread as long as it lives.
      if (thread.state === "Ready" && (run.transfer !== undefined || thread.lease !== undefined)) continue
      if (!controlBlock.revoke(thread.control, run.sequence)) continue
      if (thread.assigned.length === 1 && thread.state === "Ready") thread.assigned[0] = passedOver(run)
      else thread.assigned.splice(i, 1)
      taken.push(run)
    }
    for (const run of taken) {
      if (died !== undefined) run.losses++
      if (died !== undefined && run.losses >= maxLosses) {
        this.settle(run, this.lostWith(run, died))
      } else if (thread.lease !== undefined || run.transfer !== undefined) {
        // The state it was for, or the buffers it was sent with, are gone with the thread.
        this.settle(run, this.lostWith(run, died ?? terminated))
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
    for (const run of thread.assigned) run.startedAt = controlBlock.startedAt(thread.control, run.sequence) ?? 0
    const outcomes = thread.assigned.filter((run) => run.state !== Done).map((run) => [run, end(run)] as const)
    thread.assigned.length = 0
    return outcomes
  }

  // ---------------------------------------------------------------------------
  // Threads
  // ---------------------------------------------------------------------------

  private onNoThreads(attempts: number, cause: unknown): void {
    if (this.threads.readyCount === 0) {
      for (const run of [...this.queue.toArray(), ...this.waiting.toArray()]) {
        if (run.list === undefined) continue
        run.list.remove(run)
        this.fail(run, () => new SpawnFailed({ attempts, cause }))
      }
    }
    for (const watcher of Array.from(this.readyWatchers)) watcher({ _tag: "SpawnFailed", attempts, cause })
  }

  private onMessage(thread: PoolThread, message: protocol.FromThread): void {
    if (message[0] === protocol.Progress) {
      this.collect(thread, message)
    } else if (message[0] === protocol.Stray) {
      const error = decode(message[1], [])
      this.onEvent({ _tag: "StrayError", threadId: thread.thread.threadId, task: message[2], error })
    }
  }

  /** A result was posted that this thread cannot read (a structure too deep for its stack): its task ends with that. */
  private onMessageError(thread: PoolThread, error: unknown): void {
    const { control } = thread
    const lost = thread.assigned.find(({ sequence }) =>
      controlBlock.hasEnded(control, sequence) && controlBlock.resultKind(control, sequence) === controlBlock.Posted
    )
    if (lost === undefined) {
      return this.onEvent({ _tag: "StrayError", threadId: thread.thread.threadId, task: undefined, error })
    }
    const value: protocol.NotCloneableValue = { side: "success", path: "result", detail: describe(error) }
    this.collect(thread, [protocol.Progress, lost.sequence, protocol.NotCloneable, value])
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
    if (thread.ladderFor !== undefined && runs.includes(thread.ladderFor)) thread.clearLadder()
    if (!thread.proven) this.threads.prove(thread)
    this.free(thread)
    this.pump()
    for (let i = 0; i < count; i++) {
      const run = runs[i]!
      if (run.state === Done) continue
      try {
        if (run === posted) this.settle(run, reported(run, message![2]!, message![3]))
        else if (run.stop !== "TimeLimit" && run.task.codec === undefined) {
          this.settleAs(run, "Succeeded", Exit.succeed(values[i]))
        } else this.settle(run, reported(run, protocol.Succeeded, values[i]))
      } catch (error) {
        // Someone who was told threw, a tracer perhaps: the others are told all the same.
        this.onEvent({ _tag: "StrayError", threadId: thread.thread.threadId, task: run.task.name, error })
      }
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
    // Before what it was in: once that is settled, its thread is forgotten.
    this.takeBack(thread, previous === "Terminating" ? undefined : exit)
    const outcomes = this.endAssigned(thread, (run) => {
      if (run.stop !== undefined && previous === "Terminating") return stopped(run, "Terminated")
      const ended = controlBlock.hasEnded(thread.control, run.sequence)
      if (previous !== "Terminating" && !exit.outOfMemory && !ended && run.startedAt === 0) {
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
    const { lease } = thread
    thread.lease = undefined
    // First of all: a fiber that is told now must not send the thread another call.
    lease?.onLost(exitCode)
    this.pump()
    for (const [run, outcome] of outcomes) this.settle(run, outcome)
    this.closeIfDone()
  }

  /** Asks for `count` ready threads and calls back, once, with what came of it. */
  prewarm(count: number, onReady: (failed: PrewarmFailure | undefined) => void): () => void {
    const target = Math.min(count, this.options.maxThreads)
    const forget = (): void => {
      this.readyWatchers.delete(watcher)
      // As long as someone waits for them, no thread retires.
      if (this.readyWatchers.size === 0) this.threads.want(0)
      this.updateKeepAlive()
    }
    const watcher = (failed?: PrewarmFailure): void => {
      if (failed === undefined && this.threads.readyCount < target) return
      forget()
      const preloadFailure = this.preloadFailures[0]
      onReady(failed ?? (preloadFailure === undefined ? undefined : { _tag: "LoadFailed", ...preloadFailure }))
    }
    if (this.closing !== undefined) {
      onReady({ _tag: "ShutDown" })
      return ignore
    }
    this.readyWatchers.add(watcher)
    this.threads.want(target)
    this.threads.start(this.queue.size)
    this.updateKeepAlive()
    watcher()
    return forget
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
    for (const thread of this.threads.all) thread.lease?.onClosing()
    for (const watcher of Array.from(this.readyWatchers)) watcher({ _tag: "ShutDown" })
    if (this.queue.size === 0) this.threads.endUnused()
    this.pump()
    this.closeIfDone()
  }

  /** Takes a run that waits out of its queue. */
  cancelQueued(run: Run): void {
    if (run.list === undefined) return
    run.list.remove(run)
    run.stop = "Shutdown"
    this.closing!.report.cancelled++
    this.settle(run, cancelledInQueue(run))
  }

  private stopAll(): void {
    if (this.queue.size === 0) this.threads.endUnused()
    for (const thread of Array.from(this.threads.all)) {
      for (const run of thread.assigned.slice()) this.stop(run, "Shutdown")
      if (thread.lease !== undefined && thread.assigned.length === 0) this.threads.terminate(thread)
    }
    this.closeIfDone()
  }

  private terminateAll(): void {
    for (const run of this.queue.toArray()) this.cancelQueued(run)
    for (const thread of Array.from(this.threads.all)) this.threads.terminate(thread)
    this.closeIfDone()
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
  /** The lease that it goes to instead of tasks. */
  lease: Run | undefined
  millis: number
  full: boolean
}

const noArguments: Array<unknown> = []

const ignore = (): void => {}

/** How a thread ends that is being terminated. */
const terminated: ThreadExit = { exitCode: undefined, signal: undefined, outOfMemory: false, cause: undefined }

/** Stands for a run that was taken back, until its thread has passed it. */
const passedOver = (run: Run): Run => {
  const passed = new Run(run.id, run.task, noArguments, run.submittedAt, ignore)
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
