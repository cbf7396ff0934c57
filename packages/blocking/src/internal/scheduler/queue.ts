/**
 * Accepted runs that are not on a thread. Not every thread can take every run (see `Run.needs`).
 * A run that has to wait for a particular thread delays no other: each kind has its own list, first
 * come, first served, and a thread gets the oldest run that it can take.
 */
import type { PoolThread } from "./poolThread.ts"
import { AnyThread, NoOpenBody, NoWaitingBody, type Run, RunList } from "./run.ts"

export class Queue {
  private readonly any = new RunList()
  private readonly streams = new RunList()
  private readonly waiting = new RunList()

  get size(): number {
    return this.any.size + this.restricted
  }

  /** Runs that not every thread can take. */
  get restricted(): number {
    return this.streams.size + this.waiting.size
  }

  push(run: Run): void {
    this.listOf(run).push(run)
  }

  /** Puts a run back before all others of its kind. */
  unshift(run: Run): void {
    this.listOf(run).unshift(run)
  }

  /** The oldest run that the thread can take. */
  peek(thread: PoolThread): Run | undefined {
    const { any, streams, waiting } = this
    let next = any.peek()
    if (streams.size > 0 && !thread.isHeldUp) next = older(next, streams.peek())
    if (waiting.size > 0 && thread.open.size === 0) next = older(next, waiting.peek())
    return next
  }

  /** Whether the thread can take any of the runs. */
  fits(thread: PoolThread): boolean {
    return this.peek(thread) !== undefined
  }

  /** A copy, the oldest first; the queue may change during the iteration. */
  toArray(): Array<Run> {
    const runs = this.any.toArray()
    if (this.restricted === 0) return runs
    return [...runs, ...this.streams.toArray(), ...this.waiting.toArray()].sort((one, other) => one.id - other.id)
  }

  private listOf({ needs }: Run): RunList {
    switch (needs) {
      case AnyThread:
        return this.any
      case NoWaitingBody:
        return this.streams
      case NoOpenBody:
        return this.waiting
    }
  }
}

const older = (one: Run | undefined, other: Run | undefined): Run | undefined =>
  one === undefined || (other !== undefined && other.id < one.id) ? other : one
