/**
 * Yields to the event loop while messages keep coming.
 *
 * A platform may deliver all messages that have arrived in one go, and go on as long as more arrive:
 * with quick threads that is as long as there are tasks, and timers and sockets wait
 * meanwhile. So after `turnMillis`, the rest waits for the next turn of the event loop.
 */
import type { ThreadHost } from "../../ThreadHost.ts"
import type { ProgressMessage } from "../wire/protocol.ts"
import type { PoolThread } from "./poolThread.ts"

/** Arbitrary: about a tick of a timer. */
const turnMillis = 1

/** This number of messages in one turn is no flood. Arbitrary. */
const fewMessages = 4

export class Yielding {
  private readonly deferred: Array<readonly [PoolThread, ProgressMessage]> = []
  private messages = 0
  /** When the flood of this turn began, if there is one. */
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
    // A message without a result only says that the control block has news: once is enough.
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

  /** Handles the deferred messages, before a thread is forgotten that may have sent some of them. */
  flush(): void {
    for (const [thread, message] of this.deferred.splice(0)) this.handle(thread, message)
  }
}
