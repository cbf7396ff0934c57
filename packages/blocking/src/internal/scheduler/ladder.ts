/**
 * How a body that runs is stopped: it is asked; past its grace period its thread is
 * terminated; a thread that does not end is abandoned (C2). The first step is here, the
 * others are what `threads` does with any thread that has to end.
 */
import type { ThreadHost } from "../../ThreadHost.ts"
import * as controlBlock from "../wire/controlBlock.ts"
import type { PoolThread } from "./poolThread.ts"
import type { Run, StopBy } from "./run.ts"
import { afterEvents } from "./timers.ts"

/** The first two steps of the ladder; a thread that reaches the third is `ThreadAbandoned`. */
export type StopStep = "Requested" | "Terminated"

export interface LadderListener {
  /** The body is about to be asked to stop, for the first time. */
  readonly onRequest: (run: Run, thread: PoolThread, by: StopBy) => void
  /** The body was asked to stop before it was entered, and never will be. */
  readonly onNeverEntered: (run: Run) => void
  /** The body was asked, and its grace period is over. */
  readonly onGraceOver: (run: Run, thread: PoolThread) => void
}

export class Ladder {
  private readonly host: ThreadHost
  /** For tasks that have no `gracePeriod` of their own. */
  private readonly graceMillis: number
  private readonly listener: LadderListener

  constructor(host: ThreadHost, graceMillis: number, listener: LadderListener) {
    this.host = host
    this.graceMillis = graceMillis
    this.listener = listener
  }

  /** Raises the flag of a run that its thread has claimed. That decides when it is free again, nobody else. */
  climb(run: Run, by: StopBy): void {
    const thread = run.thread!
    if (run.stop === undefined) this.listener.onRequest(run, thread, by)
    run.stop ??= by
    thread.requestStop(run)
    if (!controlBlock.isEntered(thread.control, run.sequence)) {
      // Still claimed, it loads its module, and looks at the flag when it enters the body: it
      // will never run. Otherwise it has just ended, and its result is on the way.
      if (controlBlock.isClaimed(thread.control, run.sequence)) this.listener.onNeverEntered(run)
      return
    }
    const climbs = by === "TimeLimit" || by === "Shutdown" || run.task.onInterrupt === "stop"
    if (!climbs || thread.state !== "Ready" || thread.ladderFor === run) return
    const grace = run.task.graceMillis ?? this.graceMillis
    const cancel = afterEvents(this.host, grace, () => {
      thread.clearLadder()
      this.listener.onGraceOver(run, thread)
    })
    thread.setLadder(cancel, run)
  }
}
