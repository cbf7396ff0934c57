/**
 * One thread of a pool, as its scheduler sees it. Its states, and who moves it:
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
 * It holds a place in the pool in all of them but `Stuck` and `Ended`, and `Retiring` when that takes long.
 */
import type { Thread } from "../../ThreadHost.ts"
import * as controlBlock from "../wire/controlBlock.ts"
import type { ResultReader } from "../wire/resultRing.ts"
import { Done, type Run, RunList } from "./run.ts"

/**
 * - `Starting`: not yet ready.
 * - `Ready`: idle, or busy with what is assigned to it.
 * - `Retiring`: releases its values and ends by itself.
 * - `Terminating`: being ended from outside.
 * - `Stuck`: could not be ended; no longer counted among the pool's threads.
 * - `Ended`.
 */
export type ThreadState = "Starting" | "Ready" | "Retiring" | "Terminating" | "Stuck" | "Ended"

export class PoolThread {
  state: ThreadState = "Starting"
  /** Set as soon as the host has started it. */
  thread!: Thread
  readonly control = controlBlock.make()
  /**
   * What was sent to it and has not come back, in the order sent. It can hold runs
   * that are `Done` (revoked, or abandoned by their caller): the thread is busy until
   * it has passed them.
   */
  readonly assigned: Array<Run> = []
  /** Where it leaves results, if it shares memory for them. */
  results: ResultReader | undefined
  /** Which task definitions it has. */
  readonly defined: Array<true> = []
  /** Which chunks of arguments it has. */
  readonly chunks: Array<true | undefined> = []
  /** Runs whose bodies were left in it. While there are any, it neither retires nor is replaced. */
  readonly open = new Set<Run>()
  /** Those of them that are to go on. */
  readonly resumptions = new RunList()
  /** Whether what it was sent last was resumptions: then tasks of the queue come first. */
  resumedLast = false
  /** The holder of the thread, if it is leased. */
  lease: ThreadLease | undefined
  /** The run that a stuck thread is still in, although its caller has gone on. */
  stuckOn: Run | undefined
  idleSince = 0
  readyAt = 0
  /** How many tasks it has ended. */
  ended = 0
  /** Retiring, it has released its values. */
  released = false
  /** What it has not taken although it was sent long ago: the reason why it is ended. */
  wedgedOn: Run | undefined
  /** Its replacement is ready: it retires as soon as it has nothing to do. */
  leaving = false
  cancelAge: (() => void) | undefined
  /** The next step of the ladder. */
  private cancelLadder: (() => void) | undefined
  /** The run for which the ladder is climbed; `undefined` when it is the thread's own. */
  ladderFor: Run | undefined
  /** Whether it has ended a task: until then its death counts as a failed start. */
  proven = false
  sequence = 0
  /** The call that it waits for an answer to, 0 for none, and the run whose body has made it. */
  call = 0
  calling: Run | undefined
  /** Whether that is not answered at once: its place is lent (`waits`). */
  waits = false
  /** When it was last sent something, or was seen to have ended its first task. */
  sentAt = 0
  /** How late the monitor's timers had been by then, in all. */
  lateAtSent = 0
  /** The run that it was seen to have ended, although its result had not arrived. */
  expected: Run | undefined
  readonly ordinal: number

  constructor(ordinal: number) {
    this.ordinal = ordinal
  }

  nextSequence(): number {
    return this.sequence = controlBlock.nextSequence(this.sequence)
  }

  /** The run whose body it is in, or whose module it is loading. */
  get running(): Run | undefined {
    this.thread.link?.refresh()
    return this.stuckOn ?? this.assigned.find((run) => controlBlock.isClaimed(this.control, run.sequence))
  }

  /** The run it is busy with: not one that was interrupted while its module loads, whose body it will never enter. */
  get busyWith(): Run | undefined {
    const { running, stuckOn } = this
    return running?.state === Done && running !== stuckOn ? undefined : running
  }

  /** Whether a body was left in it that can wait there. It is the only one. */
  get isHeldUp(): boolean {
    if (this.open.size !== 1) return false
    const [run] = this.open
    return run!.task.mayWait
  }

  /** Whether it may be in someone's code, and not in its event loop. */
  get mayBlock(): boolean {
    return this.state !== "Ended" && (this.state !== "Ready" || this.assigned.length > 0)
  }

  /** When it entered the body of the run; `undefined` if it is not in there. */
  startedAt(run: Run): number | undefined {
    this.thread.link?.refresh()
    return controlBlock.startedAt(this.control, run.sequence)
  }

  /** How many of its tasks it is done with; not beyond one whose result is still on its way, unless that is `posted`. */
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

  /** Ends the runs that are lost with it; `startedAt` of the one whose body it was in. */
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

  /** `true`: it has not started the run and never will. */
  revoke(run: Run): boolean {
    const { link } = this.thread
    return link === undefined ? controlBlock.revoke(this.control, run.sequence) : link.revoke(run.sequence)
  }

  /** Raises the stop flag; from then on the block tells whether the body was entered before. */
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

/** What a thread tells the holder of its lease. */
export interface ThreadLease {
  /** Whether a body of this pool waits for what holds it. */
  readonly nested: boolean
  /** It has finished what it was given. */
  readonly onFree: () => void
  /** Whether calls wait for what the thread is busy with. */
  readonly hasWaiting: () => boolean
  /** The pool shuts down: calls that wait are cancelled, by the given function. */
  readonly onClosing: (cancel: (run: Run) => void) => void
  /** It is gone, and with it the state that the lease was for. */
  readonly onLost: (exitCode: number | undefined) => void
}
