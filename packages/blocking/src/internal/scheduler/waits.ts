/**
 * The places of threads that wait for the program in the middle of a body. A thread that
 * waits holds no place in its pool, so that the task it waits for can run on another thread
 * (H4). The place is lent, to at most `maxThreads` other threads.
 *
 * ```text
 *   waits, and its place is lent          answered
 *   (not taken)                          ------------> has its place again
 *   (taken by another thread)            ------------> one thread too many: `surplus`, until one becomes idle
 *                                                      and then `spare`
 * ```
 *
 * A spare thread has no place and gets no task until a place is free: another thread waits, or
 * one ends. So a pool that lends places again and again does not start a thread each time, and
 * never runs more bodies than it has places, except those that had begun when an answer came.
 *
 * An idle thread with open bodies lends its place in the same way, if the run that waits for a
 * thread must not hold them up (`Run.needs`): it becomes spare, and resumes without a place.
 */
import type { PoolThread } from "./poolThread.ts"

export class Waits {
  /** Threads that wait now. */
  readonly threads = new Set<PoolThread>()
  /** Idle threads without a place. The last became spare last. */
  readonly spare: Array<PoolThread> = []
  /** Spare threads that retire. */
  private readonly leaving = new Set<PoolThread>()
  /** Upper bound for the number of busy threads without a place. */
  surplus = 0

  /** How many threads of the pool hold no place; busy ones not counted. */
  get unplaced(): number {
    return this.threads.size + this.spare.length + this.leaving.size
  }

  /** Takes a thread out of the spare ones; `false` if it is not spare. */
  recall(thread: PoolThread): boolean {
    const index = this.spare.indexOf(thread)
    if (index < 0) return false
    this.spare.splice(index, 1)
    return true
  }

  /** A spare thread retires. */
  leave(thread: PoolThread): void {
    if (this.recall(thread)) this.leaving.add(thread)
  }

  /** The thread is gone. */
  forget(thread: PoolThread): void {
    this.threads.delete(thread)
    this.leaving.delete(thread)
  }
}
