/**
 * Runs that are left and resumed. Each resumption is, for its thread, what a task is: it has a
 * number of its own in the control block, is claimed, entered and ended there, and can be
 * stopped, timed and lost. But no other thread can take it.
 *
 * ```text
 *                 the body yields                     resume, close
 *   Assigned ------------------------> Suspended ------------------> Suspended, in thread.resumptions
 *      ^                                                                          |
 *      |                  the thread has nothing else (dispatcher)                |
 *      '--------------------------------------------------------------------------'
 * ```
 *
 * A thread that has both resumptions and tasks of the queue waiting for it gets them in turn,
 * a batch of each: neither holds the other up for longer than a batch.
 */
import { NotCloneable } from "../../JoinError.ts"
import type { ThreadHost } from "../../ThreadHost.ts"
import * as controlBlock from "../wire/controlBlock.ts"
import type * as protocol from "../wire/protocol.ts"
import type { Coroutine, Question } from "./coroutine.ts"
import { failure, type Outcome } from "./outcome.ts"
import type { PoolThread } from "./poolThread.ts"
import { Assigned, Done, type Run, type StopBy, Suspended } from "./run.ts"

export interface CoroutinesListener {
  /** The thread has resumptions that wait, and perhaps nothing to do. */
  readonly onResumption: (thread: PoolThread) => void
  /** Whether something waits that the thread could run. */
  readonly hasOthers: (thread: PoolThread) => boolean
  /** The run is asked to stop, and was not before. */
  readonly onStop: (run: Run, thread: PoolThread, by: StopBy) => void
  /** The body was left for a call, which is to be answered. */
  readonly onQuestion: (run: Run, question: Question) => void
  /** Nobody waits for the answer to the call any more. */
  readonly onUnasked: (run: Run) => void
}

export class Coroutines {
  /** Runs whose bodies were left and have not ended. */
  open = 0
  /** Those of them that wait for an answer of the program. */
  asking = 0
  private readonly host: ThreadHost
  /** For tasks that have no `gracePeriod` of their own. */
  private readonly graceMillis: number
  private readonly listener: CoroutinesListener

  constructor(host: ThreadHost, graceMillis: number, listener: CoroutinesListener) {
    this.host = host
    this.graceMillis = graceMillis
    this.listener = listener
  }

  /** The thread has left the body, or is done with it. Before anything else is made of the thread. */
  onLeft(run: Run, coroutine: Coroutine, thread: PoolThread, yielded: protocol.YieldedValue | undefined): void {
    if (yielded === undefined) return this.forget(run, thread)
    if (run.state === Done) return
    run.state = Suspended
    coroutine.id = yielded[0]
    if (!thread.open.has(run)) {
      thread.open.add(run)
      this.open++
    }
    const uncloneable = yielded[2]
    if (uncloneable !== undefined) {
      coroutine.failure = failure(run, () => new NotCloneable(uncloneable))
      run.stop ??= "Close"
    }
    // Before the thread is free: idle with an open body, it would lend its place to a task that
    // must not share it (G10), and another thread would start for nothing.
    if (run.stop !== undefined) this.queueClose(run, coroutine)
  }

  /** The body has yielded: its elements are told, and it is closed if it is not to go on. */
  onYielded(run: Run, [, elements]: protocol.YieldedValue): void {
    const coroutine = run.details!.coroutine!
    const { closing } = coroutine
    if (elements.length > 0) coroutine.onElements(elements)
    if (closing) return this.watchRelease(run, coroutine)
    // Whoever was told may have closed it.
    if (run.state !== Suspended || coroutine.closing) return
    if (coroutine.question !== undefined) {
      this.ask(run, coroutine, coroutine.question)
    } else if (run.list === undefined) {
      this.watchIdle(run, coroutine)
    }
  }

  /** Waits for the answer to a call. That is time in the body, although its thread has others meanwhile. */
  private ask(run: Run, coroutine: Coroutine, question: Question): void {
    this.asking++
    coroutine.askedAt = this.host.now()
    const limit = this.limitOf(run, coroutine)
    if (limit !== undefined) {
      coroutine.cancelLimit = this.host.schedule(Math.max(0, limit), () => this.close(run, "TimeLimit"))
    }
    this.listener.onQuestion(run, question)
  }

  /** The call is answered, or nobody waits for that any more; `false`: nobody did. */
  endQuestion(coroutine: Coroutine): boolean {
    const { askedAt } = coroutine
    coroutine.question = undefined
    if (askedAt === undefined) return false
    this.asking--
    coroutine.askedAt = undefined
    coroutine.bodyMillis += this.host.now() - askedAt
    coroutine.cancelLimit?.()
    coroutine.cancelLimit = undefined
    return true
  }

  /** Lets the body go on, when its thread has time for it. Nothing happens if it is about to, or in it. */
  resume(run: Run): void {
    const coroutine = run.details!.coroutine!
    if (run.state !== Suspended || run.list !== undefined || coroutine.closing) return
    if (coroutine.question !== undefined) return
    coroutine.cancelIdleLimit?.()
    coroutine.cancelIdleLimit = undefined
    const thread = run.thread!
    thread.resumptions.push(run)
    this.listener.onResumption(thread)
  }

  /** Lets the body that its thread is in make a chunk more before it is left, if nothing else is to run there. */
  letGoOn(run: Run): void {
    const { stop, thread } = run
    if (run.state !== Assigned || stop !== undefined || thread === undefined) return
    if (thread.assigned.length > 1 || thread.resumptions.size > 0 || this.listener.hasOthers(thread)) return
    controlBlock.letGoOn(thread.control, run.sequence)
  }

  /** Ends the body where it was left. */
  close(run: Run, by: StopBy): void {
    const coroutine = run.details!.coroutine!
    const thread = run.thread!
    if (run.stop === undefined && by !== "Close") this.listener.onStop(run, thread, by)
    run.stop ??= by
    if (coroutine.closing) return
    this.queueClose(run, coroutine)
    const asked = this.endQuestion(coroutine)
    this.listener.onResumption(thread)
    if (asked) this.listener.onUnasked(run)
    this.watchRelease(run, coroutine)
  }

  /** The thread resumes the body next, before other bodies, and closes it: that is short. */
  private queueClose(run: Run, coroutine: Coroutine): void {
    coroutine.closing = true
    coroutine.cancelIdleLimit?.()
    coroutine.cancelIdleLimit = undefined
    run.list?.remove(run)
    run.thread!.resumptions.unshift(run)
  }

  /** Ends the wait for the close after a grace period, if the thread is in another body, which nobody asked to stop. */
  private watchRelease(run: Run, coroutine: Coroutine): void {
    if (run.state !== Suspended || run.task.onInterrupt !== "stop") return
    coroutine.cancelRelease = this.host.schedule(this.graceOf(run), () => {
      coroutine.cancelRelease = undefined
      if (run.state === Suspended) coroutine.onReleased?.()
    })
  }

  /** How long the body may still run, since it was last entered. */
  limitOf(run: Run, coroutine: Coroutine): number | undefined {
    const limit = run.task.timeLimitMillis
    if (!coroutine.closing) return limit === undefined ? undefined : limit - coroutine.bodyMillis
    return run.task.onInterrupt === "stop" || run.stop === "Shutdown" ? closingMillis : undefined
  }

  /** The thread is gone: gives what becomes of those that it was not in. */
  lost(thread: PoolThread, end: (run: Run) => Outcome): Array<readonly [Run, Outcome]> {
    const outcomes: Array<readonly [Run, Outcome]> = []
    for (const run of Array.from(thread.open)) {
      run.list?.remove(run)
      this.forget(run, thread)
      if (run.state === Suspended) outcomes.push([run, end(run)])
    }
    return outcomes
  }

  /** Nothing of it is left in the thread. */
  forget(run: Run, thread: PoolThread): void {
    if (thread.open.delete(run)) this.open--
  }

  /** What is settled waits for nothing. */
  onSettled(run: Run): void {
    const coroutine = run.details?.coroutine
    if (coroutine === undefined) return
    coroutine.cancelIdleLimit?.()
    coroutine.cancelIdleLimit = undefined
    coroutine.cancelRelease?.()
    coroutine.cancelRelease = undefined
    if (this.endQuestion(coroutine)) this.listener.onUnasked(run)
  }

  private watchIdle(run: Run, coroutine: Coroutine): void {
    const { idleLimitMillis } = run.task
    if (idleLimitMillis === undefined || idleLimitMillis === Infinity) return
    coroutine.cancelIdleLimit = this.host.schedule(idleLimitMillis, () => {
      coroutine.cancelIdleLimit = undefined
      this.close(run, "IdleLimit")
    })
  }

  private graceOf(run: Run): number {
    return run.task.graceMillis ?? this.graceMillis
  }
}

/** How long a body may take to be closed before it is asked to stop, and its grace period begins. Arbitrary: it is long over for most. */
const closingMillis = 1
