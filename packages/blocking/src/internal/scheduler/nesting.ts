/**
 * Bodies that wait for the program, which may run tasks on the same pool to answer. A thread
 * that waits lends its place; a task that could not begin before the thread resumes fails at once (G10, H4).
 *
 * A consumer that does not pull its stream may be slow, or may itself wait for a task in the
 * queue. The pool cannot tell these apart: it logs a warning when that lasts long.
 */
import { WouldDeadlock } from "../../JoinError.ts"
import type { ThreadHost } from "../../ThreadHost.ts"
import type { Calls } from "./calls.ts"
import type { Question } from "./coroutine.ts"
import type { Coroutines } from "./coroutines.ts"
import type { SchedulerEvent } from "./events.ts"
import { failure } from "./outcome.ts"
import type { Outcomes } from "./outcomes.ts"
import type { Queue } from "./queue.ts"
import type { Run, RunList } from "./run.ts"
import type { Threads, Work } from "./threads.ts"

/** The strictest requirement: a thread that fits it fits any work. */
const mostRestricted: Work = { fits: ({ open }) => open.size === 0 }

/** How long a task may wait behind idle threads before the warning. Arbitrary: longer than a slow consumer needs, short enough for someone debugging a hang. */
const heldUpMillis = 5000

export interface NestingListener {
  /** A thread has lent its place. */
  readonly onPlace: () => void
  readonly onEvent: (event: SchedulerEvent) => void
}

export class Nesting {
  private readonly host: ThreadHost
  private readonly calls: Calls
  private readonly coroutines: Coroutines
  private readonly outcomes: Outcomes
  private readonly queue: Queue
  private readonly threads: Threads
  private readonly waiting: RunList
  private readonly maxThreads: number
  private readonly listener: NestingListener
  /** Set while a run waits for a thread without open bodies. */
  private cancelHeldUp: (() => void) | undefined

  constructor(
    { calls, coroutines, host, outcomes, queue, threads, waiting }: {
      readonly host: ThreadHost
      readonly calls: Calls
      readonly coroutines: Coroutines
      readonly outcomes: Outcomes
      readonly queue: Queue
      readonly threads: Threads
      readonly waiting: RunList
    },
    maxThreads: number,
    listener: NestingListener
  ) {
    this.host = host
    this.calls = calls
    this.coroutines = coroutines
    this.outcomes = outcomes
    this.queue = queue
    this.threads = threads
    this.waiting = waiting
    this.maxThreads = maxThreads
    this.listener = listener
  }

  /** Checks the queued runs, after any change. */
  check(): void {
    this.failUnreachable()
    this.watchHeldUp()
  }

  /** Fails runs that only a thread waiting for them could take: they would never begin. */
  private failUnreachable(): void {
    if (this.queue.size + this.waiting.size === 0) return
    // No thread waits.
    if (this.threads.waits.threads.size + this.coroutines.asking === 0 || !this.threads.isExhausted(mostRestricted)) {
      return
    }
    const { maxThreads } = this
    const threads = this.threads.all.size
    for (const run of [...this.queue.toArray(), ...this.waiting.toArray()]) {
      if (run.list === undefined || run.details?.nested !== true || !this.threads.isExhausted(run)) continue
      run.list.remove(run)
      this.outcomes.settleWith(run, failure(run, () => new WouldDeadlock({ threads, maxThreads })))
    }
  }

  private watchHeldUp(): void {
    if (this.queue.restricted === 0) {
      this.cancelHeldUp?.()
      this.cancelHeldUp = undefined
    } else if (this.cancelHeldUp === undefined && this.heldUp !== undefined) {
      this.cancelHeldUp = this.host.schedule(heldUpMillis, () => {
        const { heldUp } = this
        // Reported once, until nothing waits any more.
        if (heldUp === undefined) this.cancelHeldUp = undefined
        else this.listener.onEvent({ _tag: "HeldUp", task: heldUp.task.name, threads: this.threads.all.size })
      })
    }
  }

  /** A run that waits although all threads are idle: each has an open body that the run must not hold up. */
  private get heldUp(): Run | undefined {
    const { queue, threads } = this
    for (const { assigned, open } of threads.all) if (assigned.length > 0 || open.size === 0) return undefined
    return queue.toArray().find((run) => threads.isExhausted(run))
  }

  /** A body was left for a call. Its thread, if leased, lends its place like one that waits. */
  onQuestion(run: Run, question: Question): void {
    const thread = run.thread!
    if (thread.lease !== undefined) this.threads.beginWait(thread)
    this.calls.ask(run, question)
    if (this.threads.waits.threads.has(thread)) this.listener.onPlace()
  }

  /** The answer to the call is no longer needed. */
  onUnasked(run: Run): void {
    this.calls.stop(run)
    this.takePlaceBack(run)
  }

  takePlaceBack({ thread }: Run): void {
    if (thread!.call === 0 && this.threads.waits.threads.has(thread!)) this.threads.endWait(thread!)
  }
}
