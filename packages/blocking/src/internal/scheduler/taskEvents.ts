/**
 * Events of runs, for listeners. Without a listener, a run costs one read of `isOn` at
 * each of its steps, and nothing is kept.
 */
import * as Exit from "effect/Exit"
import * as Option from "effect/Option"
import type { TaskEvent } from "../../Blocking.ts"
import type { ThreadHost } from "../../ThreadHost.ts"
import type { StopStep } from "./ladder.ts"
import type { OutcomeKind } from "./outcome.ts"
import type { PoolThread } from "./poolThread.ts"
import { Done, type Run, type RunExit, type StopBy } from "./run.ts"

/**
 * How many events wait for a listener before the oldest is dropped. Arbitrary: a few hundred milliseconds of tiny
 * tasks, and about a megabyte.
 */
export const eventCapacity = 8192

/** A listener's buffer: the events since its last `take`, at most `eventCapacity`. */
export class TaskEventBuffer {
  private events: Array<TaskEvent> = []
  /** Where the oldest event is, once the buffer has been full: it is a ring. */
  private oldest = 0
  private dropped = 0
  private wake: (() => void) | undefined
  private waking = false
  private readonly host: ThreadHost

  constructor(host: ThreadHost) {
    this.host = host
  }

  add(event: TaskEvent): void {
    if (this.events.length < eventCapacity) {
      this.events.push(event)
    } else {
      this.events[this.oldest] = event
      this.oldest = (this.oldest + 1) % eventCapacity
      this.dropped++
    }
    if (this.wake !== undefined && !this.waking) {
      this.waking = true
      // Not at once: the scheduler is in the middle of a change, and more events may follow.
      this.host.nextTurn(() => this.onTurn())
    }
  }

  private onTurn(): void {
    this.waking = false
    const { wake } = this
    this.wake = undefined
    wake?.()
  }

  /** Calls back when there is something to take; returns a function that removes the callback. */
  onAny(wake: () => void): () => void {
    if (this.events.length > 0) {
      wake()
    } else this.wake = wake
    return () => {
      this.wake = undefined
    }
  }

  /** All events in order; the first says how many were dropped. */
  take(): ReadonlyArray<TaskEvent> {
    const { dropped, events, oldest } = this
    this.events = []
    this.oldest = 0
    this.dropped = 0
    const inOrder = oldest === 0 ? events : [...events.slice(oldest), ...events.slice(0, oldest)]
    return dropped === 0 ? inOrder : [{ _tag: "Dropped", count: dropped }, ...inOrder]
  }
}

export class TaskEvents {
  /** Whether there is a listener. */
  isOn = false
  private readonly listeners = new Set<TaskEventBuffer>()
  /** Runs whose start was reported, and whose end was not. */
  private readonly started = new Set<Run>()
  private readonly host: ThreadHost

  constructor(host: ThreadHost) {
    this.host = host
  }

  listen(): TaskEventBuffer {
    const buffer = new TaskEventBuffer(this.host)
    this.listeners.add(buffer)
    this.isOn = true
    return buffer
  }

  forget(buffer: TaskEventBuffer): void {
    this.listeners.delete(buffer)
    this.isOn = this.listeners.size > 0
    if (!this.isOn) this.started.clear()
  }

  onSubmitted(run: Run): void {
    // The details keep the times of its body.
    run.detailed()
    this.emit({ _tag: "Queued", ...about(run), at: run.submittedAt })
  }

  /** The body was entered, by the control block or the result. Reported once, also for a body that is left and resumed. */
  onRunning(run: Run, thread: PoolThread, startedAt: number): void {
    // A thread can still be in a body whose run has ended.
    if (this.isOn && run.state !== Done && !this.started.has(run)) this.emitStarted(run, thread, startedAt)
  }

  private emitStarted(run: Run, thread: PoolThread, startedAt: number): void {
    this.started.add(run)
    this.emit({
      _tag: "Started",
      ...about(run),
      at: startedAt,
      threadId: thread.thread.threadId,
      queueWaitMillis: Math.max(0, startedAt - run.submittedAt)
    })
  }

  onStop(step: StopStep | "Abandoned", run: Run, thread: PoolThread, by: StopBy | undefined): void {
    if (!this.isOn) return
    const startedAt = thread.startedAt(run)
    if (startedAt !== undefined) this.onRunning(run, thread, startedAt)
    const _tag = step === "Requested" ? "StopRequested" : step
    this.emit({ _tag, ...about(run), at: this.host.now(), threadId: thread.thread.threadId, by: by ?? "Shutdown" })
  }

  /** Called before all other callbacks: `startedAt` is 0 if the body was never entered. */
  onEnded(run: Run, outcome: OutcomeKind, exit: RunExit): void {
    const { endedAt, startedAt } = run.detailed()
    const { thread } = run
    if (startedAt > 0 && thread !== undefined && !this.started.has(run)) this.emitStarted(run, thread, startedAt)
    this.started.delete(run)
    const at = endedAt === 0 ? this.host.now() : endedAt
    const runMillis = run.details!.coroutine?.bodyMillis ?? Math.max(0, at - startedAt)
    this.emit({
      _tag: "Ended",
      ...about(run),
      at,
      outcome,
      error: Option.getOrUndefined(Exit.findErrorOption(exit)),
      queueWaitMillis: Math.max(0, (startedAt > 0 ? startedAt : at) - run.submittedAt),
      runMillis: startedAt > 0 ? runMillis : undefined
    })
  }

  private emit(event: TaskEvent): void {
    for (const listener of this.listeners) listener.add(event)
  }
}

const about = ({ id, task }: Run) => ({ id, task: task.name, module: task.module })
