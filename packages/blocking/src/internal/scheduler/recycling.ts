/**
 * Replaces threads that have run many tasks, grown old, or keep much memory. The
 * replacement is ready first, so no task waits for it; one thread of a pool at a time.
 */
import type { ThreadHost } from "../../ThreadHost.ts"
import * as controlBlock from "../wire/controlBlock.ts"
import type { PoolThread } from "./poolThread.ts"
import type { Threads } from "./threads.ts"

/** When a thread is replaced; each can be `Infinity`. */
export interface RecycleOptions {
  /** After so many tasks. */
  readonly tasks: number
  /** When its heap holds more than so many bytes at the end of a task. */
  readonly heapBytes: number
  /** So many milliseconds after it became ready. */
  readonly ageMillis: number
}

export class Recycling {
  /** The thread to be replaced, until it is gone, and the one that will replace it, until it is ready. */
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

  /** A thread is ready: perhaps the one that another waits for. */
  onReady(thread: PoolThread): void {
    this.watchAge(thread)
    if (thread !== this.replacement) return
    this.replacement = undefined
    if (this.due?.state === "Ready") this.threads.leave(this.due)
    // It has ended for other reasons, and may have had no place to leave.
    else this.threads.claimPlace()
  }

  /** An idle thread grows old as well. */
  private watchAge(thread: PoolThread): void {
    if (this.options.ageMillis === Infinity) return
    thread.cancelAge = this.host.schedule(this.options.ageMillis, () => {
      this.watchAge(thread)
      this.inspect(thread)
    })
  }

  /** A thread has ended what it had. */
  onFree(thread: PoolThread): void {
    this.inspect(thread)
  }

  /** A thread is gone, or left behind. */
  onGone(thread: PoolThread): void {
    thread.cancelAge?.()
    if (thread === this.replacement) this.replacement = this.due = undefined
    if (thread !== this.due) return
    this.due = undefined
    // Others may have waited for their turn.
    if (this.replacement === undefined) { for (const other of Array.from(this.threads.all)) this.inspect(other) }
  }

  private inspect(thread: PoolThread): void {
    if (this.due !== undefined || this.replacement !== undefined) return
    // Open bodies would be lost with it: it waits for them.
    if (thread.state !== "Ready" || thread.open.size > 0 || !this.isDue(thread)) return
    this.replacement = this.threads.startReplacement()
    // Without one it goes on as it is, and is looked at again when it has ended its next task.
    if (this.replacement !== undefined) this.due = thread
  }

  private isDue(thread: PoolThread): boolean {
    const { ageMillis, heapBytes, tasks } = this.options
    return thread.ended >= tasks ||
      this.host.now() - thread.readyAt >= ageMillis ||
      (heapBytes !== Infinity && controlBlock.heap(thread.control) > heapBytes)
  }
}
