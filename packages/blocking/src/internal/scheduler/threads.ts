/**
 * The threads of one pool: when one starts, retires or is ended, and which are idle.
 * Their tasks are the scheduler's business.
 */
import type { Thread, ThreadEvents, ThreadExit, ThreadHost, ThreadOptions } from "../../ThreadHost.ts"
import * as controlBlock from "../wire/controlBlock.ts"
import * as protocol from "../wire/protocol.ts"
import { ResultReader, ringLength } from "../wire/resultRing.ts"
import * as Version from "../wire/version.ts"
import { CannotStart, isFinal } from "./cannotStart.ts"
import type { ThreadsOptions } from "./options.ts"
import { describeExit } from "./outcome.ts"
import { PoolThread, type ThreadState } from "./poolThread.ts"
import { afterEvents } from "./timers.ts"
import { Waits } from "./waits.ts"

/** Events of the threads, for the scheduler. */
export interface ThreadsListener {
  readonly onReady: (thread: PoolThread, preloadFailures: ReadonlyArray<protocol.PreloadFailure>) => void
  /** The thread sent a message about something other than its own state. */
  readonly onMessage: (thread: PoolThread, message: protocol.FromThread) => void
  /** The thread sent something that could not be read. */
  readonly onMessageError: (thread: PoolThread, error: unknown) => void
  /** The thread is about to be terminated: the last moment to take back unclaimed tasks. */
  readonly onTerminating: (thread: PoolThread, previous: ThreadState) => void
  /** The thread is stuck, and was abandoned. */
  readonly onAbandoned: (thread: PoolThread) => void
  /** Too many threads are stuck: further stuck threads are not replaced. */
  readonly onStuckLimit: (stuck: number, places: number) => void
  /** The thread has ended; `previous` is its former state. */
  readonly onEnded: (thread: PoolThread, exit: ThreadExit, previous: ThreadState) => void
  /** A start failed, and is retried after a pause. The last failure calls `onNoThreads` instead. */
  readonly onStartFailed: (attempt: number, cause: unknown) => void
  /** Starts failed too often in a row, or for a reason that no retry changes; none is starting. */
  readonly onNoThreads: (attempts: number, cause: unknown) => void
  /** The pause after a failed start is over, or a stuck thread has ended: a start can succeed now. */
  readonly onRetry: () => void
}

/** How long a thread may take to report ready. Arbitrary: far above the slowest start seen, preloads included. */
export const startTimeoutMillis = 30_000

/** Failed starts in a row before the tasks that wait for a thread are failed. Arbitrary: about a second in all. */
const maxStartAttempts = 5

/** Pause after the first failed start; doubled each time. Arbitrary. */
const firstBackoffMillis = 50

/** How long a retired thread may take to end, its output included, after it has released its values. Arbitrary. */
const exitMillis = 5000

/** Pause after the last failed start, if no new task comes. Arbitrary. */
const restMillis = 30_000

/** A run, or a queue of runs, that needs a thread. */
export interface Work {
  readonly fits: (thread: PoolThread) => boolean
}

export class Threads {
  /** The threads that hold a place in the pool: terminating threads included, stuck ones not. */
  readonly all = new Set<PoolThread>()
  readonly stuck = new Set<PoolThread>()
  readonly waits = new Waits()
  /** The last is the one that became idle last; it is taken first (P4). */
  private readonly idle: Array<PoolThread> = []
  /** How many threads were ever started. */
  started = 0
  /** Threads that are `Starting`. */
  private starting = 0
  /** Threads that are `Starting` or `Ready`. */
  private live = 0
  /** How many threads should exist whatever the queue holds: the minimum, or more while a prewarm waits. */
  private wanted: number
  /** A prewarm waits for the wanted threads. */
  private awaited = false
  private failedStarts = 0
  /** The last attempt has failed, and no task has come since. */
  private resting = false
  /** The failure to report by `onNoThreads`, held back while a thread is still starting. */
  private unreported: { readonly attempts: number; readonly cause: unknown } | undefined
  /** Threads that retire slowly. They hold no place, so that no task waits for a release. */
  private readonly slow = new Set<PoolThread>()
  private cancelBackoff: (() => void) | undefined
  private cancelKeepAlive: (() => void) | undefined
  private closing = false

  private readonly host: ThreadHost
  private readonly options: ThreadsOptions
  private readonly listener: ThreadsListener

  constructor(host: ThreadHost, options: ThreadsOptions, listener: ThreadsListener) {
    this.host = host
    this.options = options
    this.listener = listener
    this.wanted = options.minThreads
  }

  /** How many threads can be taken. */
  get idleCount(): number {
    return this.idle.length + this.recallable
  }

  /** Spare threads that can have a place. Stuck threads limit only new starts, not these. */
  private get recallable(): number {
    const spare = this.waits.spare.length
    return spare === 0 ? 0 : Math.min(spare, Math.max(0, this.options.maxThreads - this.placesTaken))
  }

  /** Threads that have begun a task. */
  get busyCount(): number {
    let count = 0
    for (const thread of this.all) if (thread.busyWith !== undefined) count++
    return count
  }

  get readyCount(): number {
    return this.live - this.starting
  }

  /** Threads that are starting or could be started. */
  get startable(): number {
    return this.starting + (this.isExpandable ? Math.max(0, this.places - this.placesTaken) : 0)
  }

  /** Threads that are starting. */
  get startingCount(): number {
    return this.starting
  }

  /**
   * Places in the pool: `maxThreads`, less one for each stuck or slowly retiring thread beyond the
   * first `maxThreads`. So a pool never has more than twice `maxThreads` threads, unless a replacement
   * gets stuck, too.
   */
  get places(): number {
    const { maxThreads } = this.options
    return Math.max(0, Math.min(maxThreads, 2 * maxThreads - this.stuck.size - this.slow.size))
  }

  /** Threads that hold a place. */
  get placesTaken(): number {
    return this.placesInUse - this.excess
  }

  /** Threads that count against `maxThreads`, including those still running on a place whose owner has resumed. */
  private get placesInUse(): number {
    return this.all.size - this.slow.size - this.waits.unplaced
  }

  /** Busy threads beyond the places, because the owners of borrowed places have resumed. */
  private get excess(): number {
    const { surplus } = this.waits
    return surplus === 0 ? 0 : Math.min(surplus, Math.max(0, this.placesInUse - this.places))
  }

  /**
   * Whether no thread can take the work: each waits for the program, is leased by work that one of them
   * waits for, or has open bodies that the work must not delay.
   */
  isExhausted(work: Work): boolean {
    if (this.startable > 0 || this.hasIdle(work)) return false
    if (this.isExpandable && this.idle.some(({ open }) => open.size > 0)) return false
    for (const thread of this.all) {
      if (!this.waits.threads.has(thread) && thread.lease?.nested !== true && work.fits(thread)) return false
    }
    return true
  }

  // ---------------------------------------------------------------------------
  // Idle threads
  // ---------------------------------------------------------------------------

  /** Takes an idle thread for the work: of those with the fewest open bodies, the one that became idle last. */
  takeIdle(work: Work): PoolThread | undefined {
    return takeFrom(this.idle, work) ?? (this.recallable > 0 ? takeFrom(this.waits.spare, work) : this.exchange(work))
  }

  /** Takes a spare thread in exchange for an idle one whose open bodies exclude the work. */
  private exchange(work: Work): PoolThread | undefined {
    const { idle, waits } = this
    if (idle.length === 0) return undefined
    const taken = takeFrom(waits.spare, work)
    if (taken !== undefined) waits.spare.push(idle.shift()!)
    return taken
  }

  /** Whether there is an idle thread for the work. */
  hasIdle(work: Work): boolean {
    for (const thread of this.idle) if (work.fits(thread)) return true
    return (this.recallable > 0 || this.idle.length > 0) && this.waits.spare.some((thread) => work.fits(thread))
  }

  /** Takes this thread, if it is idle. */
  take(thread: PoolThread): void {
    // It resumes even without a place: its open bodies can run nowhere else.
    if (this.waits.recall(thread)) this.waits.surplus++
    else this.takeFromIdle(thread)
  }

  /** Lets an idle thread with open bodies lend its place; `false` if none can. */
  park(): boolean {
    const parked = this.idle.findIndex(({ open }) => open.size > 0)
    if (parked < 0 || !this.isExpandable) return false
    this.waits.spare.push(...this.idle.splice(parked, 1))
    return true
  }

  /** Whether the pool can have one more thread: those without a place and the stuck included, it has at most twice `maxThreads`. */
  private get isExpandable(): boolean {
    const { maxThreads } = this.options
    return this.all.size - this.slow.size < maxThreads + Math.max(0, maxThreads - this.stuck.size)
  }

  /** Idle threads with bodies to resume. */
  get resumable(): ReadonlyArray<PoolThread> {
    return [...this.idle, ...this.waits.spare].filter(({ resumptions }) => resumptions.size > 0)
  }

  /** Takes back an idle thread that was taken and not used. */
  putBack(thread: PoolThread): void {
    this.idle.push(thread)
  }

  /** The thread becomes idle. */
  rest(thread: PoolThread): void {
    thread.idleSince = this.host.now()
    const surplus = this.excess
    if (surplus > 0) this.waits.spare.push(thread)
    else this.idle.push(thread)
    this.waits.surplus = Math.max(0, surplus - 1)
  }

  /** The thread waits for the program, and lends its place. */
  beginWait(thread: PoolThread): void {
    this.waits.threads.add(thread)
    // A surplus thread may have its place.
    this.waits.surplus = this.excess
  }

  /** The thread resumes, whether or not its place was taken. */
  endWait(thread: PoolThread): void {
    this.waits.threads.delete(thread)
    this.claimPlace()
  }

  /** One more thread needs a place: if none is free, an idle thread gives up its own. */
  claimPlace(): void {
    if (this.placesTaken <= this.places) return
    const unused = this.idle.shift()
    if (unused === undefined) this.waits.surplus++
    else this.waits.spare.push(unused)
  }

  /** The thread that retires next: the one that has been idle for the longest. */
  private get oldest(): PoolThread | undefined {
    return this.waits.spare.find(canRetire) ?? this.idle.find(canRetire)
  }

  /** One timer for the pool, for the thread that has been idle for the longest. */
  watchKeepAlive(): void {
    const { keepAliveMillis } = this.options
    if (this.closing || this.cancelKeepAlive !== undefined || this.live <= this.wanted) return
    const oldest = this.oldest
    if (oldest === undefined) return
    if (keepAliveMillis === Infinity) return
    const left = oldest.idleSince + keepAliveMillis - this.host.now()
    this.cancelKeepAlive = this.host.schedule(Math.max(left, 1), () => {
      this.cancelKeepAlive = undefined
      const due = this.host.now() - keepAliveMillis
      while (this.live > this.wanted) {
        const { oldest } = this
        if (oldest === undefined || oldest.idleSince > due) break
        this.retire(oldest)
      }
      this.watchKeepAlive()
    })
  }

  private takeFromIdle(thread: PoolThread): void {
    const index = this.idle.indexOf(thread)
    if (index >= 0) this.idle.splice(index, 1)
    else this.waits.leave(thread)
  }

  // ---------------------------------------------------------------------------
  // Starting
  // ---------------------------------------------------------------------------

  /** Starts threads for this number of waiting tasks, and up to the wanted number. */
  start(waiting: number): void {
    if (this.cancelBackoff !== undefined) {
      // The pause after the last attempt is long: a new task without a thread cuts it short.
      if (!this.resting || waiting === 0 || this.live > 0) return
      this.cancelBackoff()
      this.cancelBackoff = undefined
    }
    this.resting = false
    const wanted = this.closing ? 0 : this.wanted
    while (
      (this.live < wanted || this.starting < waiting) && this.placesTaken < this.places && this.isExpandable &&
      this.startOne() !== undefined
    );
    if ((waiting === 0 && !this.awaited) || this.places > 0) return
    // Only when `maxThreads` threads are still releasing: the longest release is cut short, so that no task waits for ever.
    const [longest] = this.slow
    if (longest !== undefined) this.terminate(longest)
    else this.startFailed(new CannotStart(stuckEverywhere(this.stuck.size)))
  }

  /** Asks for this number of threads, tasks or not; never fewer than the minimum. */
  want(count: number): void {
    this.awaited = count > 0
    this.wanted = Math.max(this.options.minThreads, count)
    // Surplus threads may retire now.
    this.watchKeepAlive()
  }

  /** Starts a thread to replace another, beyond the maximum until that one has retired. */
  startReplacement(): PoolThread | undefined {
    return this.closing || this.cancelBackoff !== undefined ? undefined : this.startOne()
  }

  /** A chunk of arguments is given up: the threads that have it forget it. */
  forgetChunk(index: number): void {
    for (const thread of this.all) {
      if (thread.chunks[index] === undefined) continue
      thread.chunks[index] = undefined
      // A thread that is ending is sent nothing more.
      if (thread.state === "Ready") thread.thread.post([protocol.Chunk, index, undefined], undefined)
    }
  }

  private startOne(): PoolThread | undefined {
    const thread = new PoolThread(this.started + 1)
    const { preload, recycle, threadData } = this.options
    const { pack, payloads } = this.host
    // A host that packs arguments shares no memory.
    const results = pack === undefined && payloads ? new SharedArrayBuffer(ringLength) : undefined
    if (results !== undefined) {
      thread.results = new ResultReader(results, controlBlock.ringRead(thread.control), payloads!)
    }
    const start: protocol.ThreadStart = {
      version: Version.current,
      control: thread.control.int32.buffer as SharedArrayBuffer,
      results,
      preload,
      threadData,
      measureHeap: recycle !== undefined && recycle.heapBytes !== Infinity
    }
    try {
      thread.thread = this.spawn({ ordinal: thread.ordinal, start, mayBlock: () => thread.mayBlock }, {
        onMessage: (message) => this.onMessage(thread, message as protocol.FromThread),
        onMessageError: (error) => {
          if (thread.state !== "Stuck" && thread.state !== "Ended") this.listener.onMessageError(thread, error)
        },
        onExit: (exit) => this.onExit(thread, exit)
      })
    } catch (cause) {
      this.startFailed(cause)
      return undefined
    }
    this.started++
    this.all.add(thread)
    this.starting++
    this.live++
    thread.setLadder(afterEvents(this.host, startTimeoutMillis, () => {
      this.terminate(thread)
      this.startFailed(new Error(`The thread did not report ready within ${startTimeoutMillis} ms`))
    }))
    return thread
  }

  /** Starts the thread outside of the current request's context: its events must not carry that context. */
  private spawn(options: ThreadOptions, events: ThreadEvents): Thread {
    const { host } = this
    return host.detached === undefined ? host.spawn(options, events) : host.detached(() => host.spawn(options, events))
  }

  private startFailed(cause: unknown): void {
    // Threads that start together and fail together count as one attempt.
    if (this.cancelBackoff === undefined) {
      const attempts = ++this.failedStarts
      const last = attempts >= maxStartAttempts || isFinal(cause)
      if (last) {
        this.failedStarts = 0
        this.unreported = { attempts, cause }
      } else {
        this.listener.onStartFailed(attempts, cause)
      }
      this.resting = last
      const delay = last ? restMillis : firstBackoffMillis * 2 ** (attempts - 1)
      this.cancelBackoff = this.host.schedule(delay, () => {
        this.cancelBackoff = undefined
        this.listener.onRetry()
      })
    }
    this.reportNoThreads()
  }

  /** Gives up when the last attempt has failed and nothing starts any more. */
  private reportNoThreads(): void {
    const { unreported } = this
    if (unreported === undefined || this.starting > 0) return
    this.unreported = undefined
    this.listener.onNoThreads(unreported.attempts, unreported.cause)
  }

  /** The thread has ended a task: its start has succeeded. */
  markHealthy(thread: PoolThread): void {
    thread.healthy = true
    this.failedStarts = 0
  }

  private onMessage(thread: PoolThread, message: protocol.FromThread): void {
    // A body can post on the thread's port, too: other messages are ignored.
    if (thread.state === "Stuck" || thread.state === "Ended" || !Array.isArray(message)) return
    if (message[0] === protocol.Released) return this.onReleased(thread)
    if (message[0] !== protocol.Ready) return this.listener.onMessage(thread, message)
    if (thread.state !== "Starting") return
    thread.state = "Ready"
    thread.readyAt = this.host.now()
    thread.clearLadder()
    this.starting--
    this.listener.onReady(thread, message[1])
    this.reportNoThreads()
  }

  // ---------------------------------------------------------------------------
  // Ending
  // ---------------------------------------------------------------------------

  /** Lets a thread retire as soon as it has nothing to do. */
  leave(thread: PoolThread): void {
    thread.leaving = true
    const isSpare = this.waits.spare.includes(thread)
    // It has no place to leave to its replacement, which needs one.
    if (isSpare || this.waits.threads.has(thread)) this.claimPlace()
    if (!isSpare && !this.idle.includes(thread)) return
    // It takes no more tasks.
    if (canRetire(thread)) this.retire(thread)
    else this.takeFromIdle(thread)
  }

  /** Lets an idle thread release its values and end. It may take any time, until the pool shuts down. */
  retire(thread: PoolThread): void {
    this.takeFromIdle(thread)
    this.live--
    thread.state = "Retiring"
    thread.setLadder(afterEvents(this.host, this.options.graceMillis, () => {
      this.waits.forget(thread)
      this.slow.add(thread)
      this.listener.onRetry()
    }))
    thread.thread.post([protocol.Retire], undefined)
  }

  /** The thread has nothing more to do, and ends by itself unless a task has left something open. */
  private onReleased(thread: PoolThread): void {
    if (thread.state !== "Retiring") return
    thread.released = true
    thread.setLadder(afterEvents(this.host, exitMillis, () => this.terminate(thread)))
  }

  /** Terminates a thread, and abandons it if that has no effect in time. */
  terminate(thread: PoolThread): void {
    if (thread.state === "Terminating" || thread.state === "Stuck" || thread.state === "Ended") return
    const previous = thread.state
    this.uncount(thread)
    thread.state = "Terminating"
    thread.setLadder(afterEvents(this.host, this.options.terminateMillis, () => this.abandon(thread)))
    thread.thread.terminate()
    this.listener.onTerminating(thread, previous)
  }

  /** Gives up a thread that is stuck in native code: it no longer holds a place in the pool. */
  abandon(thread: PoolThread): void {
    if (thread.state === "Stuck" || thread.state === "Ended") return
    thread.clearLadder()
    this.uncount(thread)
    thread.state = "Stuck"
    this.all.delete(thread)
    this.waits.forget(thread)
    this.stuck.add(thread)
    if (this.stuck.size > this.options.maxThreads) this.listener.onStuckLimit(this.stuck.size, this.places)
    this.listener.onAbandoned(thread)
  }

  private onExit(thread: PoolThread, exit: ThreadExit): void {
    const previous = thread.state
    thread.clearLadder()
    if (this.stuck.delete(thread)) {
      thread.state = "Ended"
      if (this.closing) return
      // There may be a place again.
      this.cancelBackoff?.()
      this.cancelBackoff = undefined
      return this.listener.onRetry()
    }
    this.uncount(thread)
    thread.state = "Ended"
    this.all.delete(thread)
    this.waits.forget(thread)
    // Without back-off, a thread that dies before it has done anything would be restarted in a loop.
    if (previous === "Starting" || (previous === "Ready" && !thread.healthy && thread.running === undefined)) {
      this.startFailed(
        exit.cause ?? new Error(`The thread ended with ${describeExit(exit)} before it had done anything`)
      )
    }
    this.listener.onEnded(thread, exit, previous)
  }

  /** Takes a thread out of the counts of its state. */
  private uncount(thread: PoolThread): void {
    this.slow.delete(thread)
    if (thread.state === "Starting") this.starting--
    if (thread.state === "Starting" || thread.state === "Ready") this.live--
    this.takeFromIdle(thread)
  }

  /** From here on, threads start only for tasks that wait; called again when none do. */
  close(): void {
    this.closing = true
    this.cancelKeepAlive?.()
    this.cancelBackoff?.()
    this.cancelBackoff = undefined
  }

  /** Ends unneeded threads: idle ones, and those not yet ready. */
  endUnused(): void {
    for (const thread of [...this.idle, ...this.waits.spare].filter(canRetire)) this.retire(thread)
    for (const thread of Array.from(this.all)) {
      if (thread.state === "Starting") this.terminate(thread)
    }
  }
}

const takeFrom = (threads: Array<PoolThread>, work: Work): PoolThread | undefined => {
  const last = threads.length - 1
  // Any work fits a thread without open bodies.
  if (last < 0 || threads[last]!.open.size === 0) return threads.pop()
  let taken = -1
  for (let i = last; i >= 0; i--) {
    const fewer = taken < 0 || threads[i]!.open.size < threads[taken]!.open.size
    if (fewer && work.fits(threads[i]!)) taken = i
  }
  return taken < 0 ? undefined : threads.splice(taken, 1)[0]
}

const canRetire = ({ open }: PoolThread): boolean => open.size === 0

const stuckEverywhere = (count: number): string =>
  `${count} threads are stuck in native code, and no more are started before one of them has ended. ` +
  "Processes can be killed where threads cannot: consider process isolation for these tasks"
