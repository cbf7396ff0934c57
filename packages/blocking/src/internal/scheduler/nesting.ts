/**
 * Bodies that wait for the program, which may run tasks on the same pool for the answer: a thread
 * that waits lends its place, and what could not begin before it goes on fails at once (G10, H4).
 */
import { WouldDeadlock } from "../../JoinError.ts"
import type { Calls } from "./calls.ts"
import type { Question } from "./coroutine.ts"
import type { Coroutines } from "./coroutines.ts"
import { failure } from "./outcome.ts"
import type { Outcomes } from "./outcomes.ts"
import type { Queue } from "./queue.ts"
import type { Run, RunList } from "./run.ts"
import type { Threads, Work } from "./threads.ts"

/** What fits here, fits anywhere. */
const pickiest: Work = { fits: ({ open }) => open.size === 0 }

export class Nesting {
  private readonly calls: Calls
  private readonly coroutines: Coroutines
  private readonly outcomes: Outcomes
  private readonly queue: Queue
  private readonly threads: Threads
  private readonly waiting: RunList
  private readonly maxThreads: number
  /** Told when a thread has lent its place. */
  private readonly onPlace: () => void

  constructor(
    { calls, coroutines, outcomes, queue, threads, waiting }: {
      readonly calls: Calls
      readonly coroutines: Coroutines
      readonly outcomes: Outcomes
      readonly queue: Queue
      readonly threads: Threads
      readonly waiting: RunList
    },
    maxThreads: number,
    onPlace: () => void
  ) {
    this.calls = calls
    this.coroutines = coroutines
    this.outcomes = outcomes
    this.queue = queue
    this.threads = threads
    this.waiting = waiting
    this.maxThreads = maxThreads
    this.onPlace = onPlace
  }

  /** What only a thread could run that waits for its outcome ends now: it would never begin. */
  failUnreachable(): void {
    if (this.queue.size + this.waiting.size === 0) return
    // Nothing is waited for.
    if (this.threads.waits.threads.size + this.coroutines.asking === 0 || !this.threads.isExhausted(pickiest)) return
    const { maxThreads } = this
    const threads = this.threads.all.size
    for (const run of [...this.queue.toArray(), ...this.waiting.toArray()]) {
      if (run.list === undefined || run.details?.nested !== true || !this.threads.isExhausted(run)) continue
      run.list.remove(run)
      this.outcomes.settleWith(run, failure(run, () => new WouldDeadlock({ threads, maxThreads })))
    }
  }

  /** A body was left for a call. A thread that is held for it, and nobody else, lends its place like one that waits. */
  onQuestion(run: Run, question: Question): void {
    const thread = run.thread!
    if (thread.lease !== undefined) this.threads.beginWait(thread)
    this.calls.ask(run, question)
    if (this.threads.waits.threads.has(thread)) this.onPlace()
  }

  /** Nobody waits for the answer to the call any more. */
  onUnasked(run: Run): void {
    this.calls.stop(run)
    this.takePlaceBack(run)
  }

  takePlaceBack({ thread }: Run): void {
    if (thread!.call === 0 && this.threads.waits.threads.has(thread!)) this.threads.endWait(thread!)
  }
}
