/**
 * Replaces threads that have run many tasks, grown old, or hold much memory. The
 * replacement is ready first, so no task waits for it. A pool replaces one thread at a time.
 */
import type { ThreadHost } from "../../ThreadHost.ts"
import * as controlBlock from "../wire/controlBlock.ts"
import type { PoolThread } from "./poolThread.ts"
import type { Threads } from "./threads.ts"

/** When a thread is replaced; each can be `Infinity`. */
export interface RecycleOptions {
  /** After this number of tasks. */
  readonly tasks: number
  /** When its heap holds more than this number of bytes at the end of a task. */
  readonly heapBytes: number
  /** This number of milliseconds after it became ready. */
  readonly ageMillis: number
}

export class Recycling {
  /** The thread to be replaced, until it is gone, and its replacement, until that is ready. */
  private due: PoolThread | undefined
  private replacement: PoolThread | undefined
  private readonly host: ThreadHost
  private readonly threads: Threads
  private readonly options: RecycleOptions

  constructor(host: ThreadHost, threads: Threads, options: RecycleOptions) {
    this.host = host
    this.threads = threads
    this.options = options
  }

  /** A thread is ready: perhaps the replacement. */
  onReady(thread: PoolThread): void {
    this.watchAge(thread)
    if (thread !== this.replacement) return
    this.replacement = undefined
    if (this.due?.state === "Ready") this.threads.leave(this.due)
    // The replaced thread has ended for another reason, and may have left no place.
    else this.threads.claimPlace()
  }

  /** Watches the age of a thread, which may be idle. */
  private watchAge(thread: PoolThread): void {
    if (this.options.ageMillis === Infinity) return
    thread.cancelAge = this.host.schedule(this.options.ageMillis, () => {
      this.watchAge(thread)
      this.inspect(thread)
    })
  }

  /** A thread has ended all its tasks. */
  onFree(thread: PoolThread): void {
    this.inspect(thread)
  }

  /** A thread has ended, or was abandoned. */
  onGone(thread: PoolThread): void {
    thread.cancelAge?.()
    if (thread === this.replacement) this.replacement = this.due = undefined
    if (thread !== this.due) return
    this.due = undefined
    // Others may be due, too.
    if (this.replacement === undefined) { for (const other of Array.from(this.threads.all)) this.inspect(other) }
  }

  private inspect(thread: PoolThread): void {
    if (this.due !== undefined || this.replacement !== undefined) return
    // Open bodies would be lost with it: it waits for them.
    if (thread.state !== "Ready" || thread.open.size > 0 || !this.isDue(thread)) return
    this.replacement = this.threads.startReplacement()
    // Without a replacement the thread stays, and is checked again after its next task.
    if (this.replacement !== undefined) this.due = thread
  }

  private isDue(thread: PoolThread): boolean {
    const { ageMillis, heapBytes, tasks } = this.options
    return thread.ended >= tasks ||
      this.host.now() - thread.readyAt >= ageMillis ||
      (heapBytes !== Infinity && controlBlock.heap(thread.control) > heapBytes)
  }
}
