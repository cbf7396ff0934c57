/**
 * The places of threads that wait, in the middle of a body, for the program. A thread that
 * waits holds no place in its pool, so that what it waits for can run on another thread of it
 * (H4): the place is lent, to as many others as the pool may have threads.
 *
 * ```text
 *   waits, and its place is lent          is answered
 *   (nobody has taken it: nothing to do) ------------> has its place again
 *   (another thread has)                 ------------> one thread too many: `surplus`, until one has nothing to do
 *                                                      and becomes `spare`
 * ```
 *
 * A spare thread has no place and gets no task, until a place is free: the next thread waits, or
 * one ends. So a pool that lends places again and again starts no thread each time, and no more
 * bodies run at once than it has places, but for those that had begun when an answer came.
 *
 * An idle thread in which bodies were left lends its place in the same way, if what waits for a
 * thread must not hold those up (`Run.needs`): it becomes spare, and goes on beyond the places.
 */
import type { PoolThread } from "./poolThread.ts"

export class Waits {
  /** Those that wait now. */
  readonly threads = new Set<PoolThread>()
  /** Idle, without a place. The last became spare last. */
  readonly spare: Array<PoolThread> = []
  /** Spare threads that retire. */
  private readonly leaving = new Set<PoolThread>()
  /** Busy, without a place: how many at most, not which. */
  surplus = 0

  /** How many threads of a pool hold no place; the busy ones not counted. */
  get unplaced(): number {
    return this.threads.size + this.spare.length + this.leaving.size
  }

  /** A spare thread is to go on; `false`: it is none. */
  recall(thread: PoolThread): boolean {
    const index = this.spare.indexOf(thread)
    if (index < 0) return false
    this.spare.splice(index, 1)
    return true
  }

  /** A spare thread is no longer to be had. */
  leave(thread: PoolThread): void {
    if (this.recall(thread)) this.leaving.add(thread)
  }

  /** The thread is gone. */
  forget(thread: PoolThread): void {
    this.threads.delete(thread)
    this.leaving.delete(thread)
  }
}
