/**
 * Replaces threads that have run many tasks, grown old, or keep much memory. The
 * replacement is ready first, so no task waits for it; one thread of a pool at a time.
 */
import type { ThreadHost } from "../ThreadHost.ts"
import * as controlBlock from "./controlBlock.ts"
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
  /** The thread to be replaced, and the one that will replace it. */
  private worn: PoolThread | undefined
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
    const { worn } = this
    this.worn = this.replacement = undefined
    // It may have ended by itself.
    if (worn?.state === "Ready") this.threads.leave(worn)
    // Others may have waited for their turn.
    for (const other of Array.from(this.threads.all)) this.inspect(other)
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

  /** A thread is gone, or is about to be. */
  onGone(thread: PoolThread): void {
    thread.cancelAge?.()
    if (thread === this.worn) this.worn = undefined
    if (thread === this.replacement) this.worn = this.replacement = undefined
  }

  private inspect(thread: PoolThread): void {
    if (this.replacement !== undefined || thread.leaving || thread.state !== "Ready" || !this.isWorn(thread)) return
    this.replacement = this.threads.startReplacement()
    // Without one it goes on as it is, and is looked at again when it has ended its next task.
    if (this.replacement !== undefined) this.worn = thread
  }

  private isWorn(thread: PoolThread): boolean {
    const { ageMillis, heapBytes, tasks } = this.options
    return thread.ended >= tasks ||
      this.host.now() - thread.readyAt >= ageMillis ||
      (heapBytes !== Infinity && controlBlock.heap(thread.control) > heapBytes)
  }
}
