/**
 * How runs end: each is settled once, counted, and reported. Only this module calls
 * the program's callbacks, so that one that throws does not affect the others.
 */
import * as Exit from "effect/Exit"
import * as Option from "effect/Option"
import { isJoinError } from "../../JoinError.ts"
import type { ThreadHost } from "../../ThreadHost.ts"
import { isClaimed } from "../wire/controlBlock.ts"
import { releaseArguments } from "./arguments.ts"
import type { SchedulerEvent } from "./events.ts"
import { durationBoundaries, Histogram } from "./histogram.ts"
import type { Outcome, OutcomeKind } from "./outcome.ts"
import type { Payloads } from "./payloads.ts"
import { Done, type Run, type RunExit } from "./run.ts"
import { TaskEvents } from "./taskEvents.ts"

export interface OutcomesListener {
  /** The run has ended; its callbacks come next. */
  readonly onSettled: (run: Run) => void
  /** Every run has an outcome. */
  readonly onIdle: () => void
  readonly onEvent: (event: SchedulerEvent) => void
}

export class Outcomes {
  readonly counts: Record<OutcomeKind, number> = {
    Succeeded: 0,
    Failed: 0,
    Cancelled: 0,
    Panicked: 0,
    TimedOut: 0,
    WorkerExited: 0,
    OutOfMemory: 0,
    QueueTimedOut: 0,
    QueueFull: 0,
    ShutDown: 0,
    NotCloneable: 0,
    LoadFailed: 0,
    SpawnFailed: 0,
    WouldDeadlock: 0
  }
  readonly queueWait = new Histogram(durationBoundaries)
  readonly runTime = new Histogram(durationBoundaries)
  submitted = 0
  /** Runs without an outcome. */
  private unsettled = 0
  private readonly idleWatchers = new Set<() => void>()
  private readonly host: ThreadHost
  private readonly payloads: Payloads | undefined
  /** Events of runs, for listeners. */
  readonly taskEvents: TaskEvents
  private readonly listener: OutcomesListener

  constructor(host: ThreadHost, payloads: Payloads | undefined, listener: OutcomesListener) {
    this.host = host
    this.payloads = payloads
    this.taskEvents = new TaskEvents(host)
    this.listener = listener
  }

  get isIdle(): boolean {
    return this.unsettled === 0
  }

  /** Counts a submitted run, which will be settled. */
  expect(run: Run): Run {
    this.submitted++
    this.unsettled++
    if (this.taskEvents.isOn) this.taskEvents.onSubmitted(run)
    return run
  }

  /** Settles a run: its state is `Done` before any callback runs. Does nothing if it is settled already. */
  settle(run: Run, kind: OutcomeKind, exit: RunExit): void {
    if (run.state === Done) return
    run.state = Done
    // A handle keeps the run, which need not keep the arguments. But a thread that has claimed the task may still read them.
    if (typeof run.args !== "number" || run.thread === undefined || !isClaimed(run.thread.control, run.sequence)) {
      releaseArguments(run, this.payloads)
    }
    this.unsettled--
    this.counts[kind]++
    const { details, onEnd } = run
    // A handle keeps the run, but not the objects that its callbacks refer to.
    run.onEnd = ignore
    let observers: ReadonlyArray<() => void> | undefined
    if (details !== undefined) {
      this.listener.onSettled(run)
      observers = details.observers
      details.transfer = undefined
      details.moves = undefined
      details.onAccepted = undefined
      details.observers = undefined
      if (details.endedAt === 0) details.endedAt = this.host.now()
    }
    if (this.taskEvents.isOn) this.taskEvents.onEnded(run, kind, exit)
    try {
      onEnd(exit, run)
    } catch (error) {
      this.onThrow(run.task.name, error)
    }
    // The waiting fiber was interrupted, or has closed the stream, and does not read the exit.
    if (kind === "Panicked" && (run.stop === "Interrupt" || run.stop === "Close")) this.reportUnreadPanic(exit)
    if (observers !== undefined) { for (const observer of observers) this.call(run.task.name, observer) }
    run.thread = undefined
    if (this.unsettled === 0) {
      for (const watcher of Array.from(this.idleWatchers)) this.call("awaitIdle", watcher)
      this.listener.onIdle()
    }
  }

  settleWith(run: Run, { exit, kind }: Outcome): void {
    this.settle(run, kind, exit)
  }

  /** The run is in the queue or on a thread. */
  reportAccepted(run: Run): void {
    const onAccepted = run.details?.onAccepted
    if (onAccepted !== undefined) this.call(run.task.name, onAccepted, run)
  }

  /** Logs a panic whose exit may never be read: a bug in a body must not go unseen. */
  reportUnreadPanic(exit: RunExit): void {
    const error = Option.getOrUndefined(Exit.findErrorOption(exit))
    if (isJoinError(error) && error.reason._tag === "Panicked") this.listener.onEvent({ _tag: "UnreadPanic", error })
  }

  /** Calls back when the run has ended. */
  observe(run: Run, observer: () => void): void {
    ;(run.detailed().observers ??= []).push(observer)
  }

  /** Calls back each time that the last run without an outcome has ended. */
  onIdle(watcher: () => void): () => void {
    this.idleWatchers.add(watcher)
    return () => this.idleWatchers.delete(watcher)
  }

  /** Calls back into the program. A callback may throw (a tracer, a fiber observer); the remaining callbacks still run. */
  call<Args extends ReadonlyArray<unknown>>(about: string, callback: (...args: Args) => void, ...args: Args): void {
    try {
      callback(...args)
    } catch (error) {
      this.onThrow(about, error)
    }
  }

  private onThrow(about: string, error: unknown): void {
    this.listener.onEvent({ _tag: "ListenerFailed", task: about, error })
  }
}

const ignore = (): void => {}
