/** A run whose body can be left at a `yield`: what the scheduler knows of it beyond other runs. */
import type { Outcome } from "./outcome.ts"

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
  /** Told when who has closed it need not wait any longer, although its body has not been ended. */
  onReleased: (() => void) | undefined
  cancelRelease: (() => void) | undefined
  /** Takes what the body has yielded, at least one element. */
  readonly onElements: (elements: Array<unknown>) => void

  constructor(onElements: (elements: Array<unknown>) => void) {
    this.onElements = onElements
  }
}
