/**
 * Runs that are left and resumed. To its thread, each resumption is like a task: it has a
 * number of its own in the control block, is claimed, entered and ended there, and can be
 * stopped, timed and lost. Unlike a task, it cannot go to another thread.
 *
 * ```text
 *                 the body yields                     resume, close
 *   Assigned ------------------------> Suspended ------------------> Suspended, in thread.resumptions
 *      ^                                                                          |
 *      |                   the thread has nothing else (dispatcher)               |
 *      '--------------------------------------------------------------------------'
 * ```
 *
 * A thread with both resumptions and queued tasks waiting for it gets them alternately,
 * a batch of each: neither delays the other for longer than a batch.
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
  /** Resumptions wait for the thread, which may have nothing to do. */
  readonly onResumption: (thread: PoolThread) => void
  /** Whether the thread could run something that waits. */
  readonly hasOthers: (thread: PoolThread) => boolean
  /** The run is asked to stop for the first time. */
  readonly onStop: (run: Run, thread: PoolThread, by: StopBy) => void
  /** The body was left for a call that the program has to answer. */
  readonly onQuestion: (run: Run, question: Question) => void
  /** The answer to the call is no longer needed. */
  readonly onUnasked: (run: Run) => void
}

export class Coroutines {
  /** Runs whose bodies were left and have not ended. */
  open = 0
  /** How many of them wait for an answer of the program. */
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

  /** The thread has left the body, or the body has ended. Called before the thread gets anything else. */
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

  /** The body has yielded: passes its elements on, and makes its call if it was left for one. */
  onYielded(run: Run, [, elements]: protocol.YieldedValue): void {
    const coroutine = run.details!.coroutine!
    const { closing } = coroutine
    if (elements.length > 0) coroutine.onElements(elements)
    if (closing) return this.watchRelease(run, coroutine)
    // The consumer may have closed it.
    if (run.state !== Suspended || coroutine.closing) return
    if (coroutine.question !== undefined) {
      this.ask(run, coroutine, coroutine.question)
    } else if (run.list === undefined) {
      this.watchIdle(run, coroutine)
    }
  }

  /** Waits for the answer to a call. That counts as time in the body, although its thread runs others meanwhile. */
  private ask(run: Run, coroutine: Coroutine, question: Question): void {
    this.asking++
    coroutine.askedAt = this.host.now()
    const limit = this.limitOf(run, coroutine)
    if (limit !== undefined) {
      coroutine.cancelLimit = this.host.schedule(Math.max(0, limit), () => this.close(run, "TimeLimit"))
    }
    this.listener.onQuestion(run, question)
  }

  /** The call is answered, or the answer is no longer needed; `false` if none was waited for. */
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

  /** Resumes the body when its thread has time for it. Does nothing if the body runs, or is about to. */
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

  /** Lets the running body make one more chunk before it is left, if nothing else waits for its thread. */
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

  /** How long the body may still run, counted from its last entry. */
  limitOf(run: Run, coroutine: Coroutine): number | undefined {
    const limit = run.task.timeLimitMillis
    if (!coroutine.closing) return limit === undefined ? undefined : limit - coroutine.bodyMillis
    return run.task.onInterrupt === "stop" || run.stop === "Shutdown" ? closingMillis : undefined
  }

  /** The thread is gone: gives the outcomes of its suspended bodies. */
  lost(thread: PoolThread, end: (run: Run) => Outcome): Array<readonly [Run, Outcome]> {
    const outcomes: Array<readonly [Run, Outcome]> = []
    for (const run of Array.from(thread.open)) {
      run.list?.remove(run)
      this.forget(run, thread)
      if (run.state === Suspended) outcomes.push([run, end(run)])
    }
    return outcomes
  }

  /** The body is no longer open in the thread. */
  forget(run: Run, thread: PoolThread): void {
    if (thread.open.delete(run)) this.open--
  }

  /** A settled run waits for nothing. */
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

/** How long the close of a body may take before the body is asked to stop, and its grace period begins. Arbitrary: most take far less. */
const closingMillis = 1
