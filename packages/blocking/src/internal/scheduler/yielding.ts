/**
 * Lets the event loop turn while messages keep coming.
 *
 * A platform may deliver what has arrived in one go, and go on as long as more arrives:
 * with quick threads that is as long as there are tasks, and no timer or socket gets its
 * turn meanwhile. So after a moment of this the rest waits for the next turn.
 */
import type { ThreadHost } from "../../ThreadHost.ts"
import type { ProgressMessage } from "../wire/protocol.ts"
import type { PoolThread } from "./poolThread.ts"

/** Arbitrary: about a tick of a timer. */
const turnMillis = 1

/** Messages before anything is done about it: a few are no flood. Arbitrary. */
const fewMessages = 4

export class Yielding {
  private readonly deferred: Array<readonly [PoolThread, ProgressMessage]> = []
  private messages = 0
  /** When the flood began, `undefined` if there is none in this turn. */
  private began: number | undefined
  private readonly host: ThreadHost
  private readonly handle: (thread: PoolThread, message: ProgressMessage) => void

  constructor(host: ThreadHost, handle: (thread: PoolThread, message: ProgressMessage) => void) {
    this.host = host
    this.handle = handle
  }

  /** Handles a message, now or in the next turn. */
  onMessage(thread: PoolThread, message: ProgressMessage): void {
    if (!this.isOver()) return this.handle(thread, message)
    // One without a result only says that there is something in the block: once is enough.
    const last = this.deferred.findLast(([other]) => other === thread)?.[1]
    if (message.length === 1 && last?.length === 1) return
    this.deferred.push([thread, message])
  }

  private isOver(): boolean {
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

  /** Handles what has been deferred: a thread is about to be forgotten of which there may be messages. */
  flush(): void {
    for (const [thread, message] of this.deferred.splice(0)) this.handle(thread, message)
  }
}
