/**
 * The threads of one pool: when one starts, retires or is ended, and which are idle.
 * What runs on them is the scheduler's business.
 */
import type { ThreadExit, ThreadHost } from "../../ThreadHost.ts"
import * as protocol from "../wire/protocol.ts"
import * as Version from "../wire/version.ts"
import { describeExit } from "./outcome.ts"
import { PoolThread, type ThreadState } from "./poolThread.ts"
import type { RecycleOptions } from "./recycling.ts"

export interface ThreadsOptions {
  readonly minThreads: number
  readonly maxThreads: number
  readonly keepAliveMillis: number
  readonly graceMillis: number
  readonly terminateMillis: number
  readonly threadData: unknown
  /** Urls of task modules. */
  readonly preload: ReadonlyArray<string>
  /** When threads are replaced; `undefined`: they never are. */
  readonly recycle: RecycleOptions | undefined
}

/** What the scheduler hears of its threads. */
export interface ThreadsListener {
  readonly onReady: (thread: PoolThread, preloadFailures: ReadonlyArray<protocol.PreloadFailure>) => void
  /** What a thread sent that is not about its life. */
  readonly onMessage: (thread: PoolThread, message: protocol.FromThread) => void
  /** It sent something that could not be read. */
  readonly onMessageError: (thread: PoolThread, error: unknown) => void
  /** It is about to be ended: the last moment to take back what it has not claimed. */
  readonly onTerminating: (thread: PoolThread) => void
  /** It could not be ended, and was left behind. */
  readonly onAbandoned: (thread: PoolThread) => void
  /** So many threads are stuck that those who get stuck now are not replaced. */
  readonly onStuckLimit: (stuck: number, places: number) => void
  /** It has ended; `previous` is the state in which it was. */
  readonly onEnded: (thread: PoolThread, exit: ThreadExit, previous: ThreadState) => void
  /** A start failed; another is tried after a pause. */
  readonly onStartFailed: (attempt: number, cause: unknown) => void
  /** So many starts failed in a row that waiting for a thread is pointless. */
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

/** Pause after the last failed start, if no new task comes. Arbitrary. */
const restMillis = 30_000

export class Threads {
  /** The threads that hold a place in the pool, the dying included, the stuck not. */
  readonly all = new Set<PoolThread>()
  readonly stuck = new Set<PoolThread>()
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

  get idleCount(): number {
    return this.idle.length
  }

  get readyCount(): number {
    return this.live - this.starting
  }

  /** Threads that are on their way or could be. */
  get startable(): number {
    return this.starting + Math.max(0, this.places - this.all.size)
  }

  /**
   * How many threads there can be, besides the stuck. As many stuck ones as the pool may
   * have threads are replaced; each further one takes a place, until none is left. So a
   * pool never has more than twice `maxThreads`, but for a replacement that gets stuck, too.
   */
  get places(): number {
    const { maxThreads } = this.options
    return Math.max(0, Math.min(maxThreads, 2 * maxThreads - this.stuck.size))
  }

  // ---------------------------------------------------------------------------
  // Idle threads
  // ---------------------------------------------------------------------------

  takeIdle(): PoolThread | undefined {
    return this.idle.pop()
  }

  /** Takes back an idle thread that was taken and not used. */
  putBack(thread: PoolThread): void {
    this.idle.push(thread)
  }

  /** The thread has nothing to do. */
  rest(thread: PoolThread): void {
    thread.idleSince = this.host.now()
    this.idle.push(thread)
  }

  /** One timer for the pool, for the thread that has been idle for the longest. */
  watchKeepAlive(): void {
    const { keepAliveMillis } = this.options
    const oldest = this.idle[0]
    if (this.closing || oldest === undefined || this.cancelKeepAlive !== undefined || this.live <= this.wanted) return
    const left = oldest.idleSince + keepAliveMillis - this.host.now()
    this.cancelKeepAlive = this.after(Math.max(left, 1), () => {
      this.cancelKeepAlive = undefined
      const due = this.host.now() - keepAliveMillis
      while (this.idle.length > 0 && this.idle[0]!.idleSince <= due && this.live > this.wanted) {
        this.retire(this.idle[0]!)
      }
      this.watchKeepAlive()
    })
  }

  private takeFromIdle(thread: PoolThread): void {
    const index = this.idle.indexOf(thread)
    if (index >= 0) this.idle.splice(index, 1)
  }

  // ---------------------------------------------------------------------------
  // Starting
  // ---------------------------------------------------------------------------

  /** Starts threads for so many tasks that wait, and up to the number wanted. */
  start(waiting: number): void {
    if (this.cancelBackoff !== undefined) {
      // After the last attempt the pause is long, but a new task need not wait for its end.
      if (!this.resting || waiting === 0) return
      this.cancelBackoff()
      this.cancelBackoff = undefined
    }
    this.resting = false
    const wanted = this.closing ? 0 : this.wanted
    while (
      (this.live < wanted || this.starting < waiting) && this.all.size < this.places && this.startOne() !== undefined
    );
    if ((waiting > 0 || this.awaited) && this.places === 0) {
      this.startFailed(new Error(stuckEverywhere(this.stuck.size)))
    }
  }

  /** Asks for so many threads to be there, tasks or not; no fewer than the minimum. */
  want(count: number): void {
    this.awaited = count > 0
    this.wanted = Math.max(this.options.minThreads, count)
  }

  /** Starts a thread that will take the place of another, beyond the maximum until that one has retired. */
  startReplacement(): PoolThread | undefined {
    return this.closing || this.cancelBackoff !== undefined ? undefined : this.startOne()
  }

  private startOne(): PoolThread | undefined {
    const thread = new PoolThread(this.started + 1)
    const { preload, recycle, threadData } = this.options
    const start: protocol.ThreadStart = {
      version: Version.current,
      control: thread.control.int32.buffer as SharedArrayBuffer,
      preload,
      threadData,
      measureHeap: recycle !== undefined && recycle.heapBytes !== Infinity
    }
    try {
      thread.thread = this.host.spawn({ ordinal: thread.ordinal, start, mayBlock: () => thread.mayBlock }, {
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
    thread.setLadder(this.after(startTimeoutMillis, () => {
      this.terminate(thread)
      this.startFailed(new Error(`The thread did not report ready within ${startTimeoutMillis} ms`))
    }))
    return thread
  }

  private startFailed(cause: unknown): void {
    // Threads that were started together and fail together are one attempt.
    if (this.cancelBackoff !== undefined) return
    const attempt = ++this.failedStarts
    this.listener.onStartFailed(attempt, cause)
    const last = attempt >= maxStartAttempts
    if (last) this.failedStarts = 0
    this.resting = last
    const delay = last ? restMillis : firstBackoffMillis * 2 ** (attempt - 1)
    this.cancelBackoff = this.after(delay, () => {
      this.cancelBackoff = undefined
      this.listener.onRetry()
    })
    if (last) this.listener.onNoThreads(attempt, cause)
  }

  /** The thread has ended a task: it was not its start that failed. */
  prove(thread: PoolThread): void {
    thread.proven = true
    this.failedStarts = 0
  }

  private onMessage(thread: PoolThread, message: protocol.FromThread): void {
    // A body can post on the thread's port, too: what is not ours is nobody's.
    if (thread.state === "Stuck" || thread.state === "Ended" || !Array.isArray(message)) return
    if (message[0] !== protocol.Ready) return this.listener.onMessage(thread, message)
    if (thread.state !== "Starting") return
    thread.state = "Ready"
    thread.readyAt = this.host.now()
    thread.clearLadder()
    this.starting--
    this.listener.onReady(thread, message[1])
  }

  // ---------------------------------------------------------------------------
  // Ending
  // ---------------------------------------------------------------------------

  /** Lets a thread retire as soon as it has nothing to do. */
  leave(thread: PoolThread): void {
    thread.leaving = true
    if (this.idle.includes(thread)) this.retire(thread)
  }

  /** Lets an idle thread release its values and end; the ladder sees to it that it does. */
  retire(thread: PoolThread): void {
    this.takeFromIdle(thread)
    this.live--
    thread.state = "Retiring"
    thread.setLadder(this.after(this.options.graceMillis, () => this.terminate(thread)))
    thread.thread.post([protocol.Retire], undefined)
  }

  /** Ends a thread wherever it is, and abandons it if that has no effect in time. */
  terminate(thread: PoolThread): void {
    if (thread.state === "Terminating" || thread.state === "Stuck" || thread.state === "Ended") return
    this.uncount(thread)
    thread.state = "Terminating"
    thread.setLadder(this.after(this.options.terminateMillis, () => this.abandon(thread)))
    thread.thread.terminate()
    this.listener.onTerminating(thread)
  }

  /** Gives up a thread that sits in native code: it holds no place in the pool any more. */
  abandon(thread: PoolThread): void {
    if (thread.state === "Stuck" || thread.state === "Ended") return
    thread.clearLadder()
    this.uncount(thread)
    thread.state = "Stuck"
    this.all.delete(thread)
    this.stuck.add(thread)
    if (this.places < this.options.maxThreads) this.listener.onStuckLimit(this.stuck.size, this.places)
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
    for (const thread of this.idle.slice()) this.retire(thread)
    for (const thread of Array.from(this.all)) {
      if (thread.state === "Starting") this.terminate(thread)
    }
  }

  private after(delayMillis: number, callback: () => void): () => void {
    return after(this.host, delayMillis, callback)
  }
}

const stuckEverywhere = (count: number): string =>
  `${count} threads are stuck in native code, and no more are started before one of them has ended. ` +
  "Processes can be killed where threads cannot: consider process isolation for these tasks"

/** A timer that an infinite delay never starts. */
export const after = (host: ThreadHost, delayMillis: number, callback: () => void): () => void =>
  delayMillis === Infinity ? () => {} : host.schedule(delayMillis, callback)
