/**
 * Tells the scheduler of errors that nobody caught in a thread: a task can leave a timer
 * behind that throws for ever. The first ones of each second are told one by one, the
 * others as their number.
 *
 * Pool threads load this file.
 */
import * as protocol from "../wire/protocol.ts"
import { encodeThrown } from "../wire/thrown.ts"
import { threadContext } from "./context.ts"

/** How many are told one by one within `periodMillis`. Arbitrary: enough to see what they are. */
const perPeriod = 10
const periodMillis = 1000

declare const setTimeout: (callback: () => void, millis: number) => { readonly unref?: () => void }
// A body can replace it: timers of a test, for one.
const later = setTimeout

export class UncaughtErrors {
  private readonly post: (message: protocol.UncaughtMessage) => void
  private readonly now: () => number
  private periodEnds = 0
  private told = 0
  private untold = 0

  constructor(post: (message: protocol.UncaughtMessage) => void, now: () => number) {
    this.post = post
    this.now = now
  }

  tell(error: unknown, task: string | undefined): void {
    const now = this.now()
    if (now >= this.periodEnds) {
      this.flush()
      this.periodEnds = now + periodMillis
      this.told = 0
    }
    if (this.told < perPeriod) {
      this.told++
      this.post([protocol.Uncaught, encodeThrown(error, threadContext.clone), task])
    } else if (this.untold++ === 0) {
      later(() => this.flush(), periodMillis).unref?.()
    }
  }

  /** Tells of what has only been counted. */
  flush(): void {
    if (this.untold === 0) return
    const more = this.untold
    this.untold = 0
    this.post([protocol.Uncaught, more])
  }
}
