/**
 * Lets the event loop turn while messages keep coming.
 *
 * A platform may deliver what has arrived in one go, and go on as long as more arrives:
 * with quick threads that is as long as there are tasks, and no timer or socket gets its
 * turn meanwhile. So after a few milliseconds of this the rest waits for the next turn.
 */
import type { ThreadHost } from "../ThreadHost.ts"

/** Arbitrary: a fraction of what people notice. */
const turnMillis = 5

/** Messages before anything is done about it: a few are no flood. Arbitrary. */
const fewMessages = 16

export class Turns {
  private readonly deferred: Array<() => void> = []
  private messages = 0
  /** When the flood began, `undefined` if there is none in this turn. */
  private began: number | undefined
  private readonly host: ThreadHost

  constructor(host: ThreadHost) {
    this.host = host
  }

  /** Asked at each message: whether it has to wait for the next turn. */
  isOver(): boolean {
    if (this.began !== undefined) return this.host.now() - this.began > turnMillis
    if (++this.messages < fewMessages) return false
    this.messages = 0
    this.began = this.host.now()
    this.host.nextTurn(() => {
      this.began = undefined
      this.flush()
    })
    return false
  }

  /** Lets a message wait. */
  defer(action: () => void): void {
    this.deferred.push(action)
  }

  /** Does what has been deferred: a thread is about to be forgotten of which there may be messages. */
  flush(): void {
    while (this.deferred.length > 0) this.deferred.shift()!()
  }
}
