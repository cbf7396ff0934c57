/**
 * The escalation ladder, by which a running body is stopped. First the body is asked to stop,
 * by a flag. After its grace period, its thread is terminated. A thread that does not end is
 * abandoned (C2). The first step is here; `threads` takes the others.
 */
import type { ThreadHost } from "../../ThreadHost.ts"
import * as controlBlock from "../wire/controlBlock.ts"
import type { SchedulerEvent } from "./events.ts"
import { cancelledInQueue } from "./outcome.ts"
import type { Outcomes } from "./outcomes.ts"
import type { PoolThread } from "./poolThread.ts"
import type { Results } from "./results.ts"
import { Assigned, Done, type Run, type StopBy } from "./run.ts"
import type { Threads } from "./threads.ts"
import { afterEvents } from "./timers.ts"

/** The first two steps of the ladder; the third is the event `ThreadAbandoned`. */
export type StopStep = "Requested" | "Terminated"

/** Pause between two checks of a thread that loads a module. Arbitrary: a check costs microseconds. */
const loadingCheckMillis = 10

export interface LadderListener {
  /** Whether tasks wait that no other thread can take. */
  readonly isNeeded: (thread: PoolThread) => boolean
  /** The thread may be terminated now: takes its unclaimed runs back first. */
  readonly takeBack: (thread: PoolThread) => void
  /** The thread was not terminated; the runs taken back are in the queue. */
  readonly onTakenBack: () => void
  /** The body may be in the middle of a call, which it has to leave. */
  readonly onStop: (run: Run) => void
  readonly onEvent: (event: SchedulerEvent) => void
}

export class Ladder {
  /** How often each step was taken. */
  readonly stops: Record<StopStep | "Abandoned", number> = { Requested: 0, Terminated: 0, Abandoned: 0 }
  private readonly host: ThreadHost
  /** For tasks that have no `gracePeriod` of their own. */
  private readonly graceMillis: number
  private readonly threads: Threads
  private readonly results: Results
  private readonly outcomes: Outcomes
  private readonly listener: LadderListener

  constructor(
    host: ThreadHost,
    graceMillis: number,
    threads: Threads,
    results: Results,
    outcomes: Outcomes,
    listener: LadderListener
  ) {
    this.host = host
    this.graceMillis = graceMillis
    this.threads = threads
    this.results = results
    this.outcomes = outcomes
    this.listener = listener
  }

  /** Raises the stop flag of a claimed run. Only its thread decides when it is free again. */
  climb(run: Run, by: StopBy): void {
    const thread = run.thread!
    if (run.stop === undefined && by !== "Close") this.count("Requested", run, thread, by)
    run.stop ??= by
    thread.requestStop(run)
    // An open body is entered at once, and ended there.
    if (!controlBlock.isEntered(thread.control, run.sequence) && !run.isOpen) {
      // Still claimed, it loads its module, and checks the flag when it enters the body: the body
      // will never run. Otherwise the run has just ended, and its result is on the way.
      if (!controlBlock.isClaimed(thread.control, run.sequence)) return
      this.outcomes.settleWith(run, cancelledInQueue(run))
      this.watchLoading(run, thread)
      return
    }
    this.listener.onStop(run)
    // The interrupted callback may have ended the run.
    if (run.state === Done) return
    const climbs = by === "TimeLimit" || by === "IdleLimit" || by === "Shutdown" || run.task.onInterrupt === "stop"
    if (!climbs || thread.state !== "Ready" || thread.ladderFor === run) return
    this.afterGrace(run, thread, () => this.onGraceOver(run, thread))
  }

  /** The run has reached its time limit. */
  onTimeLimit(run: Run): void {
    const thread = run.thread!
    if (thread.thread.link === undefined) return this.climb(run, "TimeLimit")
    // Only a message says that it has ended, and a late timer fires before messages that have arrived.
    this.host.nextTurn(() => {
      this.results.flush()
      if (run.state === Assigned && run.thread === thread) this.climb(run, "TimeLimit")
    })
  }

  /** Counts a step, and logs it. */
  count(step: StopStep, run: Run, thread: PoolThread, by: StopBy): void {
    this.stops[step]++
    this.outcomes.taskEvents.onStop(step, run, thread, by)
    this.listener.onEvent({ _tag: "Stop", step, by, threadId: thread.thread.threadId, task: run.task.name })
  }

  /** Checks after a grace period whether the thread still loads the module of a stopped run. */
  private watchLoading(run: Run, thread: PoolThread): void {
    if (thread.state === "Ready" && thread.ladderFor !== run) {
      this.afterGrace(run, thread, () => this.onStillLoading(run, thread), loadingCheckMillis)
    }
  }

  private afterGrace(run: Run, thread: PoolThread, callback: () => void, leastMillis = 0): void {
    const cancel = afterEvents(this.host, Math.max(run.task.graceMillis ?? this.graceMillis, leastMillis), () => {
      thread.clearLadder()
      // The run may have ended just now, and its message not arrived.
      this.results.collect(thread)
      callback()
    })
    thread.setLadder(cancel, run)
  }

  /**
   * Terminates the thread only if it is needed: otherwise, a slow module would be loaded
   * again for each impatient caller.
   */
  private onStillLoading(run: Run, thread: PoolThread): void {
    if (!controlBlock.isClaimed(thread.control, run.sequence)) return
    if (this.listener.isNeeded(thread)) this.threads.terminate(thread)
    else this.watchLoading(run, thread)
  }

  private onGraceOver(run: Run, thread: PoolThread): void {
    // Before the thread can be terminated: it must not be in another task by then.
    this.listener.takeBack(thread)
    if (controlBlock.isClaimed(thread.control, run.sequence)) this.threads.terminate(thread)
    else this.listener.onTakenBack()
  }
}
