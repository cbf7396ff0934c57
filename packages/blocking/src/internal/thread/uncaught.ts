/**
 * Reports uncaught errors of a thread to the scheduler. A task can leave a timer
 * behind that throws for ever: the first errors of each second are reported one by one, the
 * others as a number.
 *
 * Pool threads load this file.
 */
import * as protocol from "../wire/protocol.ts"
import { encodeThrown } from "../wire/thrown.ts"
import { threadContext } from "./context.ts"

/** How many are reported one by one within `periodMillis`. Arbitrary: enough to identify them. */
const perPeriod = 10
const periodMillis = 1000

declare const setTimeout: (callback: () => void, millis: number) => { readonly unref?: () => void }
// A body can replace it, with fake timers for example.
const later = setTimeout

export class UncaughtErrors {
  private readonly post: (message: protocol.UncaughtMessage) => void
  private readonly now: () => number
  private periodEnds = 0
  private reported = 0
  private unreported = 0

  constructor(post: (message: protocol.UncaughtMessage) => void, now: () => number) {
    this.post = post
    this.now = now
  }

  report(error: unknown, task: string | undefined): void {
    const now = this.now()
    if (now >= this.periodEnds) {
      this.flush()
      this.periodEnds = now + periodMillis
      this.reported = 0
    }
    if (this.reported < perPeriod) {
      this.reported++
      this.post([protocol.Uncaught, encodeThrown(error, threadContext.clone), task])
    } else if (this.unreported++ === 0) {
      later(() => this.flush(), periodMillis).unref?.()
    }
  }

  /** Reports the errors that were only counted. */
  flush(): void {
    if (this.unreported === 0) return
    const more = this.unreported
    this.unreported = 0
    this.post([protocol.Uncaught, more])
  }
}
