/** A run whose body can be left at a `yield`: what the scheduler knows of it beyond other runs. */
import type { Outcome } from "./outcome.ts"

/** A call of a body that waits for the answer outside of its thread. */
export interface Question {
  readonly call: number
  readonly callback: string
  readonly args: ReadonlyArray<unknown>
}

export class Coroutine {
  /** The thread's number for it, 0 before its body was left for the first time. */
  id = 0
  /** It is resumed only to be ended, by its `return()`. */
  closing = false
  /** What it comes to instead of what it is told when it was closed. */
  failure: Outcome | undefined
  /** How long its body has run before it was last entered. */
  bodyMillis = 0
  cancelIdleLimit: (() => void) | undefined
  /** The call of its body that it was left for, or is about to be left for: it does not go on before that is answered. */
  question: Question | undefined
  /** Since when it waits for the answer, and what ends it when that takes too long. */
  askedAt: number | undefined
  cancelLimit: (() => void) | undefined
  /** Told when who has closed it need not wait any longer, although its body has not been ended. */
  onReleased: (() => void) | undefined
  cancelRelease: (() => void) | undefined
  /** Takes what the body has yielded, at least one element. */
  readonly onElements: (elements: Array<unknown>) => void

  constructor(onElements: (elements: Array<unknown>) => void) {
    this.onElements = onElements
  }
}
