/** State that the scheduler keeps for a run whose body can be left at a `yield`. */
import type { Outcome } from "./outcome.ts"

/** A call for which the body is left: its thread does not wait for the answer. */
export interface Question {
  readonly call: number
  readonly callback: string
  readonly args: ReadonlyArray<unknown>
}

export class Coroutine {
  /** The thread's number for the body, 0 until it is first left. */
  id = 0
  /** The body is resumed only to be ended, by its `return()`. */
  closing = false
  /** The outcome that replaces the one reported after the close. */
  failure: Outcome | undefined
  /** How long the body had run before its last entry. */
  bodyMillis = 0
  cancelIdleLimit: (() => void) | undefined
  /** The call for which the body was left, or is about to be left: it is not resumed before the answer. */
  question: Question | undefined
  /** When the wait for the answer began; `cancelLimit` cancels its time limit. */
  askedAt: number | undefined
  cancelLimit: (() => void) | undefined
  /** Ends the wait for the close, although the body has not ended. */
  onReleased: (() => void) | undefined
  cancelRelease: (() => void) | undefined
  /** Takes the yielded elements, at least one. */
  readonly onElements: (elements: Array<unknown>) => void

  constructor(onElements: (elements: Array<unknown>) => void) {
    this.onElements = onElements
  }
}
