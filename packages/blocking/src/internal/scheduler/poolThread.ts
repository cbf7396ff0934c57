/**
 * One thread of a pool, as its scheduler sees it. Its states and transitions:
 *
 * ```text
 *                 Ready message               retire: idle for long, or replaced
 *   Starting ----------------------> Ready -----------------------------------> Retiring
 *       |                              |                                           |
 *       | start timeout,               | ladder, monitor, shutdown                 | has released its values and
 *       | shutdown                     |                                           | stays; shutdown
 *       '-----------------------> Terminating <------------------------------------'
 *                                      |
 *                                      | terminateTimeout
 *                                      v
 *                                    Stuck
 *
 *   from each of them, by the host's exit event: Ended
 * ```
 *
 * It holds a place in the pool in every state except `Stuck`, `Ended`, and `Retiring` when that takes long.
 */
import type { Thread } from "../../ThreadHost.ts"
import * as controlBlock from "../wire/controlBlock.ts"
import type { ResultReader } from "../wire/resultRing.ts"
import { Done, type Run, RunList } from "./run.ts"

/**
 * - `Starting`: not yet ready.
 * - `Ready`: idle, or busy with its assigned runs.
 * - `Retiring`: releases its values and ends by itself.
 * - `Terminating`: terminated by the scheduler, and has not ended yet.
 * - `Stuck`: terminated without effect, and abandoned; no longer counted among the pool's threads.
 * - `Ended`.
 */
export type ThreadState = "Starting" | "Ready" | "Retiring" | "Terminating" | "Stuck" | "Ended"

export class PoolThread {
  state: ThreadState = "Starting"
  /** Set as soon as the host has started the thread. */
  thread!: Thread
  readonly control = controlBlock.make()
  /**
   * Runs that were sent to the thread and have not come back, in the order sent. Some can be
   * `Done` already (revoked, or abandoned by their caller): the thread is busy until
   * it is past them.
   */
  readonly assigned: Array<Run> = []
  /** Reads the results that the thread leaves in shared memory, if it shares any. */
  results: ResultReader | undefined
  /** Indices of the task definitions that the thread has. */
  readonly defined: Array<true> = []
  /** Indices of the chunks of arguments that the thread has. */
  readonly chunks: Array<true | undefined> = []
  /** Runs whose bodies are open on the thread. While there are any, it neither retires nor is replaced. */
  readonly open = new Set<Run>()
  /** Those of them that wait to be resumed. */
  readonly resumptions = new RunList()
  /** Whether it was last sent resumptions: then queued tasks come first. */
  resumedLast = false
  /** The holder of the thread, if it is leased. */
  lease: ThreadLease | undefined
  /** The run that a stuck thread is still in, although the caller has gone on. */
  stuckOn: Run | undefined
  idleSince = 0
  readyAt = 0
  /** How many tasks the thread has ended. */
  ended = 0
  /** It is retiring, and has released its values. */
  released = false
  /** The run that the wedged thread did not claim: the reason for its termination. */
  wedgedOn: Run | undefined
  /** Its replacement is ready: it retires as soon as it has nothing to do. */
  leaving = false
  cancelAge: (() => void) | undefined
  /** The next step of the ladder. */
  private cancelLadder: (() => void) | undefined
  /** The run for which the ladder is climbed; `undefined` if the step is for the thread itself. */
  ladderFor: Run | undefined
  /** Whether it has ended a task: until then, its death counts as a failed start. */
  healthy = false
  sequence = 0
  /** The call whose answer the thread waits for, 0 for none, and the run that made the call. */
  call = 0
  calling: Run | undefined
  /** Whether that call was not answered at once, so the thread's place is lent (`waits`). */
  waits = false
  /** When the thread was last sent something, or was first seen to have ended its first task. */
  sentAt = 0
  /** The total lateness of the monitor's timers at that moment. */
  lateAtSent = 0
  /** A run that the thread has ended, and whose result has not arrived. */
  expected: Run | undefined
  readonly ordinal: number

  constructor(ordinal: number) {
    this.ordinal = ordinal
  }

  nextSequence(): number {
    return this.sequence = controlBlock.nextSequence(this.sequence)
  }

  /** The run whose body the thread is in, or whose module it is loading. */
  get running(): Run | undefined {
    this.thread.link?.refresh()
    return this.stuckOn ?? this.assigned.find((run) => controlBlock.isClaimed(this.control, run.sequence))
  }

  /** The run that keeps the thread busy. Excludes a run that was interrupted while its module loads: its body is never entered. */
  get busyWith(): Run | undefined {
    const { running, stuckOn } = this
    return running?.state === Done && running !== stuckOn ? undefined : running
  }

  /** Whether an open body on it can block it. Such a body is the only open one. */
  get isHeldUp(): boolean {
    if (this.open.size !== 1) return false
    const [run] = this.open
    return run!.task.mayWait
  }

  /** Whether it may be running user code, outside of its event loop. */
  get mayBlock(): boolean {
    return this.state !== "Ended" && (this.state !== "Ready" || this.assigned.length > 0)
  }

  /** When the thread entered the body of the run; `undefined` if it is not in that body. */
  startedAt(run: Run): number | undefined {
    this.thread.link?.refresh()
    return controlBlock.startedAt(this.control, run.sequence)
  }

  /** How many of its first tasks have ended; stops at one whose result is still on its way, unless that is `posted`. */
  countEnded(posted: number | undefined): number {
    const { assigned, control } = this
    const passed = controlBlock.passed(control)
    let count = 0
    for (const { sequence } of assigned) {
      if (!controlBlock.isUpTo(sequence, passed)) break
      if (
        sequence !== posted && controlBlock.hasEnded(control, sequence) &&
        controlBlock.resultKind(control, sequence) === controlBlock.Posted
      ) break
      count++
      if (sequence === posted) break
    }
    return count
  }

  /** Ends the runs that are lost with the thread; `startedAt` is set for the one whose body it was in. */
  endAssigned<A>(end: (run: Run, startedAt: number | undefined) => A): Array<readonly [Run, A]> {
    const ends: Array<readonly [Run, A]> = []
    for (const run of this.assigned) {
      const startedAt = this.startedAt(run)
      if (run.details !== undefined) run.details.startedAt = startedAt ?? 0
      if (run.state !== Done) ends.push([run, end(run, startedAt)])
    }
    this.assigned.length = 0
    return ends
  }

  /** `true`: the thread has not started the run and never will. */
  revoke(run: Run): boolean {
    const { link } = this.thread
    return link === undefined ? controlBlock.revoke(this.control, run.sequence) : link.revoke(run.sequence)
  }

  /** Raises the stop flag; afterwards the control block says whether the body had been entered. */
  requestStop(run: Run): void {
    controlBlock.requestStop(this.control, run.sequence)
    this.thread.link?.requestStop(run.sequence)
  }

  setLadder(cancel: () => void, run?: Run): void {
    this.cancelLadder?.()
    this.cancelLadder = cancel
    this.ladderFor = run
  }

  clearLadder(): void {
    this.cancelLadder?.()
    this.cancelLadder = undefined
    this.ladderFor = undefined
  }
}

/** Events of a thread, for the holder of its lease. */
export interface ThreadLease {
  /** Whether a body of this pool waits for the holder. */
  readonly nested: boolean
  /** The thread has finished its calls. */
  readonly onFree: () => void
  /** Whether calls wait for the thread. */
  readonly hasWaiting: () => boolean
  /** The pool shuts down: pass the waiting calls to `cancel`. */
  readonly onClosing: (cancel: (run: Run) => void) => void
  /** The thread is gone, and with it the state that the lease protects. */
  readonly onLost: (exitCode: number | undefined) => void
}
