/**
 * The threads of one pool: when one starts, retires or is ended, and which are idle.
 * What runs on them is the scheduler's business.
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

/** What the scheduler hears of its threads. */
export interface ThreadsListener {
  readonly onReady: (thread: PoolThread, preloadFailures: ReadonlyArray<protocol.PreloadFailure>) => void
  /** What a thread sent that is not about its life. */
  readonly onMessage: (thread: PoolThread, message: protocol.FromThread) => void
  /** It sent something that could not be read. */
  readonly onMessageError: (thread: PoolThread, error: unknown) => void
  /** It is about to be ended: the last moment to take back what it has not claimed. */
  readonly onTerminating: (thread: PoolThread, previous: ThreadState) => void
  /** It could not be ended, and was left behind. */
  readonly onAbandoned: (thread: PoolThread) => void
  /** So many threads are stuck that those who get stuck now are not replaced. */
  readonly onStuckLimit: (stuck: number, places: number) => void
  /** It has ended; `previous` is the state in which it was. */
  readonly onEnded: (thread: PoolThread, exit: ThreadExit, previous: ThreadState) => void
  /** A start failed; another is tried after a pause. Not told of the last: that is `onNoThreads`. */
  readonly onStartFailed: (attempt: number, cause: unknown) => void
  /** So many starts failed in a row, or one in such a way, that waiting for a thread is pointless; none is on its way. */
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

/** How long a retired thread may take to end, its output included, when its values are released. Arbitrary. */
const exitMillis = 5000

/** Pause after the last failed start, if no new task comes. Arbitrary. */
const restMillis = 30_000

/** A run, or some of which a thread is to have one. */
export interface Work {
  readonly fits: (thread: PoolThread) => boolean
}

export class Threads {
  /** The threads that hold a place in the pool, the dying included, the stuck not. */
  readonly all = new Set<PoolThread>()
  readonly stuck = new Set<PoolThread>()
  readonly waits = new Waits()
  /** The last became idle last, and is taken first (P4). */
  private readonly idle: Array<PoolThread> = []
  /** How many were ever started. */
  started = 0
  /** Threads that are `Starting`. */
  private starting = 0
  /** Threads that are `Starting` or `Ready`. */
  private live = 0
  /** Threads to be there beyond what the queue asks for: the minimum, and what was prewarmed. */
  private wanted: number
  /** Someone waits for the wanted ones. */
  private awaited = false
  private failedStarts = 0
  /** The last of the attempts has failed, and no task has come since. */
  private resting = false
  /** That no thread can be had, while it is not told: as long as one starts, nothing is lost. */
  private untold: { readonly attempts: number; readonly cause: unknown } | undefined
  /** Threads that take long to retire. They hold no place, so that no task waits for a release. */
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

  /** How many can be taken. */
  get idleCount(): number {
    return this.idle.length + this.recallable
  }

  /** How many of the spare threads can have a place. Those that are stuck take none from them: that is for threads that would be started. */
  private get recallable(): number {
    const spare = this.waits.spare.length
    return spare === 0 ? 0 : Math.min(spare, Math.max(0, this.options.maxThreads - this.placesTaken))
  }

  /** Those that have begun with a task. */
  get busyCount(): number {
    let count = 0
    for (const thread of this.all) if (thread.busyWith !== undefined) count++
    return count
  }

  get readyCount(): number {
    return this.live - this.starting
  }

  /** Threads that are on their way or could be. */
  get startable(): number {
    return this.starting + (this.isExpandable ? Math.max(0, this.places - this.placesTaken) : 0)
  }

  /** Threads that are on their way. */
  get startingCount(): number {
    return this.starting
  }

  /**
   * How many threads there can be, besides those that hold no place: the stuck, and those
   * that take long to retire. As many of them as the pool may have threads are replaced; each
   * further one takes a place, until none is left. So a pool never has more than twice
   * `maxThreads`, but for a replacement that gets stuck, too.
   */
  get places(): number {
    const { maxThreads } = this.options
    return Math.max(0, Math.min(maxThreads, 2 * maxThreads - this.stuck.size - this.slow.size))
  }

  /** How many there are of those that hold one. */
  get placesTaken(): number {
    return this.claimants - this.overshoot
  }

  /** Those that hold a place, and those that began to run on the place of one that goes on. */
  private get claimants(): number {
    return this.all.size - this.slow.size - this.waits.unplaced
  }

  /** How many threads are busy beyond the places, since those whose places they took go on. */
  private get overshoot(): number {
    const { surplus } = this.waits
    return surplus === 0 ? 0 : Math.min(surplus, Math.max(0, this.claimants - this.places))
  }

  /**
   * Whether no thread can be had for it: all of them wait for the program, are held by who one of them waits for, or have
   * bodies that it must not hold up.
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

  /** One for what is to run: the last that became idle, of those with the fewest open bodies, which it holds up. */
  takeIdle(work: Work): PoolThread | undefined {
    return takeFrom(this.idle, work) ?? (this.recallable > 0 ? takeFrom(this.waits.spare, work) : this.exchange(work))
  }

  /** A spare thread for the place of an idle one, whose open bodies keep it from what is to run. */
  private exchange(work: Work): PoolThread | undefined {
    const { idle, waits } = this
    if (idle.length === 0) return undefined
    const taken = takeFrom(waits.spare, work)
    if (taken !== undefined) waits.spare.push(idle.shift()!)
    return taken
  }

  /** Whether there is one. */
  hasIdle(work: Work): boolean {
    for (const thread of this.idle) if (work.fits(thread)) return true
    return (this.recallable > 0 || this.idle.length > 0) && this.waits.spare.some((thread) => work.fits(thread))
  }

  /** Takes that thread, if it is idle. */
  take(thread: PoolThread): void {
    // Without a place it goes on all the same: what was left in it can go on nowhere else.
    if (this.waits.recall(thread)) this.waits.surplus++
    else this.takeFromIdle(thread)
  }

  /** An idle thread lends its place, because of what was left in it; `false` if none can. */
  park(): boolean {
    const parked = this.idle.findIndex(({ open }) => open.size > 0)
    if (parked < 0 || !this.isExpandable) return false
    this.waits.spare.push(...this.idle.splice(parked, 1))
    return true
  }

  /** Whether a pool that has all its places taken can have one more thread: with those that hold none, and the stuck, it has no more than twice `maxThreads`. */
  private get isExpandable(): boolean {
    const { maxThreads } = this.options
    return this.all.size - this.slow.size < maxThreads + Math.max(0, maxThreads - this.stuck.size)
  }

  /** Those that are idle and have bodies to go on with. */
  get resumable(): ReadonlyArray<PoolThread> {
    return [...this.idle, ...this.waits.spare].filter(({ resumptions }) => resumptions.size > 0)
  }

  /** Takes back an idle thread that was taken and not used. */
  putBack(thread: PoolThread): void {
    this.idle.push(thread)
  }

  /** The thread has nothing to do. */
  rest(thread: PoolThread): void {
    thread.idleSince = this.host.now()
    const surplus = this.overshoot
    if (surplus > 0) this.waits.spare.push(thread)
    else this.idle.push(thread)
    this.waits.surplus = Math.max(0, surplus - 1)
  }

  /** The thread waits for the program, and lends its place. */
  beginWait(thread: PoolThread): void {
    this.waits.threads.add(thread)
    // Who was too many may have its place.
    this.waits.surplus = this.overshoot
  }

  /** It goes on, whether or not its place was taken. */
  endWait(thread: PoolThread): void {
    this.waits.threads.delete(thread)
    this.claimPlace()
  }

  /** There is one thread more that needs a place: if there is none, an idle one goes without. */
  claimPlace(): void {
    if (this.placesTaken <= this.places) return
    const unused = this.idle.shift()
    if (unused === undefined) this.waits.surplus++
    else this.waits.spare.push(unused)
  }

  /** The one that retires next: it has been idle for the longest. */
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

  /** Starts threads for so many tasks that wait, and up to the number wanted. */
  start(waiting: number): void {
    if (this.cancelBackoff !== undefined) {
      // After the last attempt the pause is long, but a new task that has no thread need not wait for its end.
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
    // Only with as many in their releases as the pool may have: the longest of them is cut, so that no task waits for ever.
    const [longest] = this.slow
    if (longest !== undefined) this.terminate(longest)
    else this.startFailed(new CannotStart(stuckEverywhere(this.stuck.size)))
  }

  /** Asks for so many threads to be there, tasks or not; no fewer than the minimum. */
  want(count: number): void {
    this.awaited = count > 0
    this.wanted = Math.max(this.options.minThreads, count)
    // Fewer than before: those beyond may retire.
    this.watchKeepAlive()
  }

  /** Starts a thread that will take the place of another, beyond the maximum until that one has retired. */
  startReplacement(): PoolThread | undefined {
    return this.closing || this.cancelBackoff !== undefined ? undefined : this.startOne()
  }

  /** A chunk of arguments is given up: who has it need not keep it. */
  forgetChunk(index: number): void {
    for (const thread of this.all) {
      if (thread.chunks[index] === undefined) continue
      thread.chunks[index] = undefined
      // One that is on its way out is sent nothing more.
      if (thread.state === "Ready") thread.thread.post([protocol.Chunk, index, undefined], undefined)
    }
  }

  private startOne(): PoolThread | undefined {
    const thread = new PoolThread(this.started + 1)
    const { preload, recycle, threadData } = this.options
    const { pack, payloads } = this.host
    // Who packs shares no memory.
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

  /** Threads of no request: what they report carries nothing of the one for which they were started. */
  private spawn(options: ThreadOptions, events: ThreadEvents): Thread {
    const { host } = this
    return host.detached === undefined ? host.spawn(options, events) : host.detached(() => host.spawn(options, events))
  }

  private startFailed(cause: unknown): void {
    // Threads that were started together and fail together are one attempt.
    if (this.cancelBackoff === undefined) {
      const attempts = ++this.failedStarts
      const last = attempts >= maxStartAttempts || isFinal(cause)
      if (last) {
        this.failedStarts = 0
        this.untold = { attempts, cause }
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
    this.tellNoThreads()
  }

  /** Gives up when the last attempt has failed and nothing starts any more. */
  private tellNoThreads(): void {
    const { untold } = this
    if (untold === undefined || this.starting > 0) return
    this.untold = undefined
    this.listener.onNoThreads(untold.attempts, untold.cause)
  }

  /** The thread has ended a task: it was not its start that failed. */
  prove(thread: PoolThread): void {
    thread.proven = true
    this.failedStarts = 0
  }

  private onMessage(thread: PoolThread, message: protocol.FromThread): void {
    // A body can post on the thread's port, too: what is not ours is nobody's.
    if (thread.state === "Stuck" || thread.state === "Ended" || !Array.isArray(message)) return
    if (message[0] === protocol.Released) return this.onReleased(thread)
    if (message[0] !== protocol.Ready) return this.listener.onMessage(thread, message)
    if (thread.state !== "Starting") return
    thread.state = "Ready"
    thread.readyAt = this.host.now()
    thread.clearLadder()
    this.starting--
    this.listener.onReady(thread, message[1])
    this.tellNoThreads()
  }

  // ---------------------------------------------------------------------------
  // Ending
  // ---------------------------------------------------------------------------

  /** Lets a thread retire as soon as it has nothing to do. */
  leave(thread: PoolThread): void {
    thread.leaving = true
    const isSpare = this.waits.spare.includes(thread)
    // It leaves no place to its replacement, which is one too many.
    if (isSpare || this.waits.threads.has(thread)) this.claimPlace()
    if (!isSpare && !this.idle.includes(thread)) return
    // It is idle for nobody any more.
    if (canRetire(thread)) this.retire(thread)
    else this.takeFromIdle(thread)
  }

  /** Lets an idle thread release its values and end. It has all the time that it needs, until the pool shuts down. */
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

  /** It has nothing more to do, and ends by itself unless a task has left something open. */
  private onReleased(thread: PoolThread): void {
    if (thread.state !== "Retiring") return
    thread.released = true
    thread.setLadder(afterEvents(this.host, exitMillis, () => this.terminate(thread)))
  }

  /** Ends a thread wherever it is, and abandons it if that has no effect in time. */
  terminate(thread: PoolThread): void {
    if (thread.state === "Terminating" || thread.state === "Stuck" || thread.state === "Ended") return
    const previous = thread.state
    this.uncount(thread)
    thread.state = "Terminating"
    thread.setLadder(afterEvents(this.host, this.options.terminateMillis, () => this.abandon(thread)))
    thread.thread.terminate()
    this.listener.onTerminating(thread, previous)
  }

  /** Gives up a thread that sits in native code: it holds no place in the pool any more. */
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
    // One that dies before it has done anything would be started again at once, and so on.
    if (previous === "Starting" || (previous === "Ready" && !thread.proven && thread.running === undefined)) {
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

  /** From here on threads start only for tasks that wait; called again when none do. */
  close(): void {
    this.closing = true
    this.cancelKeepAlive?.()
    this.cancelBackoff?.()
    this.cancelBackoff = undefined
  }

  /** Ends what nobody needs: idle threads, and those not yet ready. */
  endUnused(): void {
    for (const thread of [...this.idle, ...this.waits.spare].filter(canRetire)) this.retire(thread)
    for (const thread of Array.from(this.all)) {
      if (thread.state === "Starting") this.terminate(thread)
    }
  }
}

const takeFrom = (threads: Array<PoolThread>, work: Work): PoolThread | undefined => {
  const last = threads.length - 1
  // Any work fits one without open bodies.
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
