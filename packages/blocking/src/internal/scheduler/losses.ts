/**
 * Runs whose thread is being terminated, was abandoned, or is gone: tasks that it had not
 * claimed run elsewhere; the task that it was in ends with it.
 */
import { type JoinErrorReason, SpawnFailed, WorkerExited } from "../../JoinError.ts"
import type { ThreadExit } from "../../ThreadHost.ts"
import * as controlBlock from "../wire/controlBlock.ts"
import { releaseArguments } from "./arguments.ts"
import type { Coroutines } from "./coroutines.ts"
import type { Dispatcher } from "./dispatcher.ts"
import type { SchedulerEvent } from "./events.ts"
import type { Ladder } from "./ladder.ts"
import type { SchedulerOptions } from "./options.ts"
import {
  cancelledInQueue,
  diedLoading,
  failure,
  loadsForever,
  lostWith,
  neverTaken,
  type Outcome,
  stopped,
  terminated
} from "./outcome.ts"
import type { Outcomes } from "./outcomes.ts"
import type { Payloads } from "./payloads.ts"
import type { PoolThread, ThreadState } from "./poolThread.ts"
import type { Queue } from "./queue.ts"
import type { QueueTimeLimits } from "./queueTimeLimits.ts"
import type { Results } from "./results.ts"
import { Done, Queued, type Run, type RunList } from "./run.ts"
import type { Shutdown } from "./shutdown.ts"
import type { Threads } from "./threads.ts"

/** A task fails when this number of threads died before they claimed it: it may be the cause. */
const maxLosses = 2

/** The parts of the scheduler that a loss touches. */
export interface LossesParts {
  readonly coroutines: Coroutines
  readonly dispatcher: Dispatcher
  readonly ladder: Ladder
  readonly options: Pick<SchedulerOptions, "resourceLimits">
  readonly outcomes: Outcomes
  readonly payloads: Payloads | undefined
  readonly queue: Queue
  readonly queueTimeLimits: QueueTimeLimits
  readonly results: Results
  readonly threads: Threads
  readonly waiting: RunList
}

export interface LossesListener {
  /** The current shutdown, if any. */
  readonly shutdown: () => Shutdown | undefined
  /** Runs were taken back, and can run elsewhere. */
  readonly onTakenBack: () => void
  /** The thread will do nothing more. */
  readonly onGone: (thread: PoolThread) => void
  /** Every run that the thread had has an outcome. */
  readonly onSettled: () => void
  readonly onEvent: (event: SchedulerEvent) => void
}

export class Losses {
  /** Why no thread could be started; cleared when one is. */
  private lastNoThreads: string | undefined
  private readonly parts: LossesParts
  private readonly listener: LossesListener

  constructor(parts: LossesParts, listener: LossesListener) {
    this.parts = parts
    this.listener = listener
  }

  /** A thread is ready. */
  onThread(): void {
    this.lastNoThreads = undefined
  }

  /** No thread can be started: runs that wait for one fail. */
  onNoThreads(attempts: number, cause: unknown): void {
    // Each new task fails the same way: one log line is enough.
    if (String(cause) !== this.lastNoThreads) this.listener.onEvent({ _tag: "NoThreads", attempts, cause })
    this.lastNoThreads = String(cause)
    const { queue, threads, waiting } = this.parts
    if (threads.readyCount > 0) return
    this.failAll([...queue.toArray(), ...waiting.toArray()], () => new SpawnFailed({ attempts, cause }))
  }

  /** Fails runs that wait. A callback may stop one of the others. */
  failAll(runs: ReadonlyArray<Run>, makeReason: () => JoinErrorReason): void {
    for (const run of runs) {
      if (run.list === undefined) continue
      run.list.remove(run)
      this.parts.outcomes.settleWith(run, failure(run, makeReason))
    }
  }

  /** The thread claims nothing, or loads a task's module without end: it is terminated. */
  onWedged(thread: PoolThread, millis: number, loading: Run | undefined): void {
    this.listener.onEvent({ _tag: "ThreadWedged", threadId: thread.thread.threadId, millis })
    if (loading !== undefined && loading.state !== Done) {
      this.parts.outcomes.settleWith(loading, loadsForever(loading, millis))
    }
    if (loading === undefined) thread.wedgedOn = thread.assigned[0]
    this.parts.threads.terminate(thread)
  }

  /** Returns unclaimed runs to the head of the queue, in their order. */
  takeBack(thread: PoolThread, died?: ThreadExit): void {
    const outcomes: Array<readonly [Run, Outcome]> = []
    const shutdown = this.listener.shutdown()
    for (const run of this.parts.dispatcher.takeBack(thread)) {
      const lost = died ?? (run === thread.wedgedOn ? neverTaken(maxLosses) : undefined)
      if (lost !== undefined && ++run.detailed().losses >= maxLosses) {
        outcomes.push([run, lostWith(run, this.parts.options.resourceLimits, lost)])
      } else if (thread.lease !== undefined || run.transfer !== undefined || run.isOpen) {
        // The leased state, the moved buffers, or the open body are gone with the thread.
        const wasStopped = run.isOpen && run.stop !== undefined
        outcomes.push([
          run,
          wasStopped ? stopped(run, "Terminated") : lostWith(run, this.parts.options.resourceLimits, died ?? terminated)
        ])
      } else if (shutdown !== undefined && (!run.task.mandatory || shutdown.over)) {
        shutdown.markCancelled(run)
        outcomes.push([run, cancelledInQueue(run)])
      } else {
        run.thread = undefined
        run.state = Queued
        this.parts.queue.unshift(run)
        this.parts.queueTimeLimits.watch(run)
      }
    }
    // Once all others are back in the queue: a callback may stop one of them.
    for (const [run, outcome] of outcomes) this.parts.outcomes.settleWith(run, outcome)
  }

  /** Second step of the ladder: the thread is terminated. Unclaimed tasks run elsewhere (C4). */
  onTerminating(thread: PoolThread, previous: ThreadState): void {
    const { running } = thread
    if (previous === "Retiring" && !thread.released) {
      this.listener.onEvent({ _tag: "ReleaseCut", threadId: thread.thread.threadId })
    }
    // A run that is done was interrupted, or given up, while its module loaded: it is not counted as stopped.
    if (running !== undefined && running.state !== Done) {
      this.listener.shutdown()?.report.terminated.push(running.task.name)
      this.parts.ladder.count("Terminated", running, thread, running.stop ?? "Shutdown")
    }
    this.takeBack(thread)
    this.listener.onTakenBack()
  }

  /** Third step of the ladder: the thread is stuck in native code, and the caller goes on without it. */
  onAbandoned(thread: PoolThread): void {
    this.parts.ladder.stops.Abandoned++
    this.parts.results.flush()
    this.parts.results.collect(thread)
    const { running } = thread
    thread.stuckOn = running
    if (running !== undefined) this.parts.outcomes.taskEvents.onStop("Abandoned", running, thread, running.stop)
    if (running !== undefined) this.listener.shutdown()?.markAbandoned(running.task.name)
    this.listener.onEvent({ _tag: "ThreadAbandoned", threadId: thread.thread.threadId, task: running?.task.name })
    this.releaseAssigned(thread)
    const outcomes = thread.endAssigned(
      (run) => run.stop === undefined ? failure(run, () => new WorkerExited({})) : stopped(run, "Abandoned")
    )
    const open = this.parts.coroutines.lost(
      thread,
      (run) => run.stop === undefined ? failure(run, () => new WorkerExited({})) : stopped(run, "Abandoned")
    )
    this.afterLoss(thread, undefined, [...outcomes, ...open])
  }

  onEnded(thread: PoolThread, exit: ThreadExit, previous: ThreadState): void {
    this.parts.results.flush()
    this.parts.results.collect(thread)
    // Before the running task is settled: its thread is forgotten then.
    this.takeBack(thread, previous === "Terminating" ? undefined : exit)
    this.releaseAssigned(thread)
    const outcomes = thread.endAssigned((run, startedAt) => {
      if (run.stop !== undefined && previous === "Terminating") return stopped(run, "Terminated")
      const ended = controlBlock.hasEnded(thread.control, run.sequence)
      if (previous !== "Terminating" && !exit.outOfMemory && !ended && startedAt === undefined && !run.isOpen) {
        return diedLoading(run, exit)
      }
      return lostWith(run, this.parts.options.resourceLimits, exit)
    })
    if (previous === "Ready" && outcomes.length === 0) {
      this.listener.onEvent({ _tag: "ThreadLost", threadId: thread.thread.threadId, exit })
    }
    const open = this.parts.coroutines.lost(
      thread,
      (run) =>
        run.stop === undefined ? lostWith(run, this.parts.options.resourceLimits, exit) : stopped(run, "Terminated")
    )
    this.afterLoss(thread, exit.exitCode, [...outcomes, ...open])
  }

  /** The thread reads no more arguments. */
  private releaseAssigned(thread: PoolThread): void {
    for (const run of thread.assigned) releaseArguments(run, this.parts.payloads)
    // A pool without threads keeps no memory for the next long argument.
    if (this.parts.threads.all.size === 0) this.parts.payloads?.trim()
  }

  private afterLoss(
    thread: PoolThread,
    exitCode: number | undefined,
    outcomes: ReadonlyArray<readonly [Run, Outcome]>
  ): void {
    this.listener.onGone(thread)
    const { lease } = thread
    thread.lease = undefined
    // Before any outcome: a fiber that resumes now must not send the thread another call.
    lease?.onLost(exitCode)
    this.listener.onTakenBack()
    for (const [run, outcome] of outcomes) this.parts.outcomes.settleWith(run, outcome)
    this.listener.onSettled()
  }
}
