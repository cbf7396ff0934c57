/**
 * Calls from bodies to the program: which threads wait for an answer, and which answers are
 * still needed. `pool/callbacks` runs the calls.
 */
import type { ThreadHost } from "../../ThreadHost.ts"
import { explain, findUncloneable } from "../wire/cloneable.ts"
import * as controlBlock from "../wire/controlBlock.ts"
import { findStandIns, forget, movedValue, substitute, transferables } from "../wire/moved.ts"
import * as protocol from "../wire/protocol.ts"
import type { Question } from "./coroutine.ts"
import type { Outcomes } from "./outcomes.ts"
import type { PoolThread } from "./poolThread.ts"
import { Done, type Run } from "./run.ts"

/** One call of a body. */
export interface Call {
  /** The key of the callback; `undefined`: no call, to be answered when all earlier notifications are handled. */
  readonly callback: string | undefined
  readonly args: ReadonlyArray<unknown>
  /** Answers the call. Does nothing if the answer is no longer needed. `describe` says why a value cannot be cloned; without it, the value is searched. */
  readonly answer: (status: number, value: unknown, describe?: Describe) => void
}

export type Describe = () => protocol.NotCloneableValue | undefined

/** Takes the calls of a run. */
export interface CallTaker {
  readonly onCall: (call: Call, run: Run) => void
  /** The run is asked to stop: the work of its calls is no longer needed. May be called more than once. */
  readonly onStop: () => void
}

export interface CallsListener {
  /** The thread waits until the program answers. */
  readonly onWaiting: (thread: PoolThread) => void
  /** The thread no longer waits. */
  readonly onAnswered: (thread: PoolThread) => void
  /** The call for which the body was left is answered: it can be resumed. */
  readonly onQuestionAnswered: (run: Run) => void
}

export class Calls {
  /** How many calls were ever made, notifications included. */
  made = 0
  private readonly host: ThreadHost
  private readonly outcomes: Outcomes
  private readonly listener: CallsListener

  constructor(host: ThreadHost, outcomes: Outcomes, listener: CallsListener) {
    this.host = host
    this.outcomes = outcomes
    this.listener = listener
  }

  onMessage(thread: PoolThread, [, sequence, number, callback, args]: protocol.CallMessage): void {
    const run = thread.assigned.find((run) => run.sequence === sequence)
    if (run === undefined) return
    if (callback === protocol.outputKey) {
      // Also from a thread that is being terminated: the outcome of its body follows.
      if (run.state !== Done) run.details?.coroutine?.onElements(args as Array<unknown>)
      return
    }
    if (thread.state !== "Ready") return
    this.made++
    if (number < 0 && callback !== undefined) {
      // The elements yielded before follow, and are reported before the call.
      if (run.details?.coroutine !== undefined) run.details.coroutine.question = { call: number, callback, args }
      return
    }
    if (number !== 0) {
      thread.call = number
      thread.calling = run
    }
    // After a stop, or when the caller has gone on, the program is not called.
    if (run.stop !== undefined || run.state === Done) return this.answer(thread, number, protocol.Stopped, undefined)
    const taker = run.details?.calls
    if (taker === undefined) return this.answer(thread, number, protocol.Refused, notNamed(run))
    const answer: Call["answer"] = (status, value, describe) => this.answer(thread, number, status, value, describe)
    this.outcomes.call(run.task.name, taker.onCall, { callback, args, answer }, run)
    if (thread.call !== number || number === 0) return
    thread.waits = true
    this.listener.onWaiting(thread)
  }

  /** The body was left for a call, for which its thread does not wait. */
  ask(run: Run, question: Question): void {
    const { args, call, callback } = question
    const { coroutine, calls } = run.details!
    const thread = run.thread!
    const answer: Call["answer"] = (status, value, describe) => {
      if (coroutine!.question !== question) return
      this.post(thread, call, status, value, describe)
      this.listener.onQuestionAnswered(run)
    }
    if (calls === undefined) return answer(protocol.Refused, notNamed(run))
    this.outcomes.call(run.task.name, calls.onCall, { callback, args, answer }, run)
  }

  /** The run is asked to stop: a waiting body leaves. */
  stop(run: Run): void {
    const { details, thread } = run
    const taker = details?.calls
    if (taker === undefined) return
    this.outcomes.call(run.task.name, taker.onStop)
    if (thread?.calling === run) this.answer(thread, thread.call, protocol.Stopped, undefined)
  }

  private answer(thread: PoolThread, call: number, status: number, value: unknown, describe?: Describe): void {
    // A late answer is dropped: the body has left, or its thread is gone.
    if (call === 0 || thread.call !== call || thread.state !== "Ready") return
    thread.call = 0
    thread.calling = undefined
    this.post(thread, call, status, value, describe)
    controlBlock.wake(thread.control)
    if (!thread.waits) return
    thread.waits = false
    this.listener.onAnswered(thread)
  }

  private post(
    thread: PoolThread,
    call: number,
    status: number,
    value: unknown,
    describe: Describe | undefined
  ): void {
    const moved = Array.from(findStandIns(value))
    try {
      const sent = moved.length === 0 ? value : substitute(value, movedValue)
      thread.thread.post([protocol.Answer, call, status, sent] satisfies protocol.AnswerMessage, transferables(moved))
      forget(moved)
    } catch (error) {
      const { pack } = this.host
      const found = findUncloneable(value, "answer", pack && ((part) => pack([part]))) ??
        { path: "answer", detail: explain(error) }
      const uncloneable: protocol.NotCloneableValue = describe?.() ?? { side: "success", ...found }
      thread.thread.post([protocol.Answer, call, protocol.NotCloneable, uncloneable], undefined)
    }
  }
}

/** Message for a body that calls a callback which its task does not name. */
export const notNamed = (run: Run): string =>
  `is not among the callbacks of task "${run.task.name}": name it there, Task.make(…, { callbacks: [ … ] })`
