/**
 * What becomes of runs whose thread is about to be ended, was left behind, or is gone: what it
 * has not claimed runs elsewhere, what it was in ends with it.
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

/** A task that has lost so many threads before they claimed it is failed: it may be what ends them. */
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
  /** The shutdown that is under way. */
  readonly shutdown: () => Shutdown | undefined
  /** What was taken back can run elsewhere. */
  readonly onTakenBack: () => void
  /** The thread will do nothing more. */
  readonly onGone: (thread: PoolThread) => void
  /** All that it had has its outcome. */
  readonly onSettled: () => void
  readonly onEvent: (event: SchedulerEvent) => void
}

export class Losses {
  /** Why no thread could be started, until one was. */
  private lastNoThreads: string | undefined
  private readonly parts: LossesParts
  private readonly listener: LossesListener

  constructor(parts: LossesParts, listener: LossesListener) {
    this.parts = parts
    this.listener = listener
  }

  /** There is a thread. */
  onThread(): void {
    this.lastNoThreads = undefined
  }

  /** No thread can be started: what waits for one fails. */
  onNoThreads(attempts: number, cause: unknown): void {
    // Each task that comes now fails the same way: it is enough to say so once.
    if (String(cause) !== this.lastNoThreads) this.listener.onEvent({ _tag: "NoThreads", attempts, cause })
    this.lastNoThreads = String(cause)
    const { queue, threads, waiting } = this.parts
    if (threads.readyCount > 0) return
    this.failAll([...queue.toArray(), ...waiting.toArray()], () => new SpawnFailed({ attempts, cause }))
  }

  /** Ends what waits. Who is told can stop one of the others. */
  failAll(runs: ReadonlyArray<Run>, makeReason: () => JoinErrorReason): void {
    for (const run of runs) {
      if (run.list === undefined) continue
      run.list.remove(run)
      this.parts.outcomes.settleWith(run, failure(run, makeReason))
    }
  }

  /** It does nothing with what it has, or loads the module of a task for ever: it is ended. */
  onWedged(thread: PoolThread, millis: number, loading: Run | undefined): void {
    this.listener.onEvent({ _tag: "ThreadWedged", threadId: thread.thread.threadId, millis })
    if (loading !== undefined && loading.state !== Done) {
      this.parts.outcomes.settleWith(loading, loadsForever(loading, millis))
    }
    if (loading === undefined) thread.wedgedOn = thread.assigned[0]
    this.parts.threads.terminate(thread)
  }

  /** Puts what the thread has not claimed back to the head of the queue, in its order. */
  takeBack(thread: PoolThread, died?: ThreadExit): void {
    const outcomes: Array<readonly [Run, Outcome]> = []
    const shutdown = this.listener.shutdown()
    for (const run of this.parts.dispatcher.takeBack(thread)) {
      const lost = died ?? (run === thread.wedgedOn ? neverTaken(maxLosses) : undefined)
      if (lost !== undefined && ++run.detailed().losses >= maxLosses) {
        outcomes.push([run, lostWith(run, this.parts.options.resourceLimits, lost)])
      } else if (thread.lease !== undefined || run.transfer !== undefined || run.isOpen) {
        // The state it was for, the buffers it was sent with, or its body, are gone with the thread.
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
    // When all others are back in the queue: who is told can stop one of them.
    for (const [run, outcome] of outcomes) this.parts.outcomes.settleWith(run, outcome)
  }

  /** Second step: the end of the thread. What it has not claimed runs elsewhere (C4). */
  onTerminating(thread: PoolThread, previous: ThreadState): void {
    const { running } = thread
    if (previous === "Retiring" && !thread.released) {
      this.listener.onEvent({ _tag: "ReleaseCut", threadId: thread.thread.threadId })
    }
    // One that is over already was interrupted, or given up, while its module loaded: nobody stops it now.
    if (running !== undefined && running.state !== Done) {
      this.listener.shutdown()?.report.terminated.push(running.task.name)
      this.parts.ladder.count("Terminated", running, thread, running.stop ?? "Shutdown")
    }
    this.takeBack(thread)
    this.listener.onTakenBack()
  }

  /** Third step: the thread sits in native code, and its caller goes on without it. */
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
    // Before what it was in: once that is settled, its thread is forgotten.
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

  /** The thread reads nothing any more. */
  private releaseAssigned(thread: PoolThread): void {
    for (const run of thread.assigned) releaseArguments(run, this.parts.payloads)
    // What is kept for the next long argument is not kept by a pool without threads.
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
    // First of all: a fiber that is told now must not send the thread another call.
    lease?.onLost(exitCode)
    this.listener.onTakenBack()
    for (const [run, outcome] of outcomes) this.parts.outcomes.settleWith(run, outcome)
    this.listener.onSettled()
  }
}
