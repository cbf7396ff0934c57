/**
 * One submission of a task: the scheduler's state of it, from the call to its
 * end, and the list in which it waits.
 *
 * A million of them can wait at once. Fields that only some need are in `RunDetails`.
 */
import type * as Exit from "effect/Exit"
import type { ResolvedTask } from "../task/resolved.ts"
import type { Moves } from "./arguments.ts"
import type { CallTaker } from "./calls.ts"
import type { Coroutine } from "./coroutine.ts"
import type { PayloadAddress } from "./payloads.ts"
import type { PoolThread } from "./poolThread.ts"
import type { QueueDeadline } from "./queueTimeLimits.ts"
import type { TaskDefinition } from "./taskDefinitions.ts"

/** Its submitter is suspended because the queue is full. */
export const Waiting = 0
/** In the queue. */
export const Queued = 1
/** Sent to a thread, which may or may not have claimed it. */
export const Assigned = 2
/** Ended, although its thread may still be running it. */
export const Done = 3
/** Its body was left at a `yield`: it is open on its thread, but does not run. */
export const Suspended = 4

/** The cause of a stop. The exit of a run is not read after `Interrupt`, nor after `Close` by a stream's consumer. */
export type StopBy = "Abort" | "Interrupt" | "TimeLimit" | "IdleLimit" | "Shutdown" | "Close"

/** A run's requirement for its thread (G10): none, … */
export const AnyThread = 0
/** … no open body that can block it, … */
export const NoWaitingBody = 1
/** … or no open body at all. */
export const NoOpenBody = 2

export type RunExit = Exit.Exit<unknown, unknown>

export class Run {
  state: typeof Waiting | typeof Queued | typeof Assigned | typeof Done | typeof Suspended = Waiting
  /**
   * The arguments, their packed form (`ThreadHost.pack`), or their address in the pool's memory; kept until the end,
   * because a thread can die before it claims the task.
   */
  args: Array<unknown> | Uint8Array | PayloadAddress
  thread: PoolThread | undefined
  sequence = 0
  stop: StopBy | undefined
  details: RunDetails | undefined

  list: RunList | undefined
  previous: Run | undefined
  next: Run | undefined

  readonly id: number
  readonly task: ResolvedTask
  readonly definition: TaskDefinition
  readonly submittedAt: number
  onEnd: (exit: RunExit, run: Run) => void

  constructor(
    id: number,
    task: ResolvedTask,
    definition: TaskDefinition,
    args: Array<unknown>,
    submittedAt: number,
    onEnd: (exit: RunExit, run: Run) => void,
    details: RunDetails | undefined
  ) {
    this.id = id
    this.task = task
    this.definition = definition
    this.args = args
    this.submittedAt = submittedAt
    this.onEnd = onEnd
    this.details = details
  }

  /** Parts of the arguments that are moved. */
  get transfer(): Array<object> | undefined {
    return this.details?.transfer
  }

  /** Whether it requests a lease: it takes a thread, and runs nothing on it. */
  get isLease(): boolean {
    return this.details?.onGranted !== undefined
  }

  /**
   * A body that can block its thread, to wait for the program or its input, would hold up the open bodies there,
   * and may wait for something that waits for them. A lease may run any body.
   */
  get needs(): typeof AnyThread | typeof NoWaitingBody | typeof NoOpenBody {
    if (this.task.mayWait || this.isLease) return NoOpenBody
    return this.details?.coroutine === undefined ? AnyThread : NoWaitingBody
  }

  /** Whether the thread's open bodies allow the run. */
  fits(thread: PoolThread): boolean {
    const { needs } = this
    return needs === AnyThread || thread.open.size === 0 || (needs === NoWaitingBody && !thread.isHeldUp)
  }

  /** Whether its body is open, and so bound to its thread. */
  get isOpen(): boolean {
    const coroutine = this.details?.coroutine
    return coroutine !== undefined && coroutine.id !== 0
  }

  /** How long the copy of its arguments took, if that was long. */
  get copyMillis(): number {
    return this.details === undefined ? 0 : this.details.copyMillis
  }

  /** How many threads died before they claimed it. */
  get losses(): number {
    return this.details === undefined ? 0 : this.details.losses
  }

  /** Its details, created on demand. */
  detailed(): RunDetails {
    return this.details ??= new RunDetails()
  }
}

/** Fields that not every run needs: created for a handle, for a span, or on demand. */
export class RunDetails {
  /** Values to be moved, while they still belong to the caller. */
  moves: Moves | undefined
  /** How long the copy of the arguments took, if that was long. */
  copyMillis = 0
  /** Values that the message has to transfer. */
  transfer: Array<object> | undefined
  losses = 0
  /** When its body was entered, 0 if it was not. */
  startedAt = 0
  endedAt = 0
  /** Set while it waits, if its task has a `queueTimeLimit`. */
  queueDeadline: QueueDeadline | undefined
  /** Called when it is in the queue or on a thread: it was not refused. */
  onAccepted: ((run: Run) => void) | undefined
  onGranted: ((thread: PoolThread) => void) | undefined
  /** Set if its body can be left at a `yield`. */
  coroutine: Coroutine | undefined
  /** Takes the calls of its body, if it may make any. */
  calls: CallTaker | undefined
  /** Whether it was submitted from inside of a callback, for which a body of this pool waits. */
  nested = false
  observers: Array<() => void> | undefined
}

/** A first-in-first-out list in which any run can be removed in constant time. */
export class RunList {
  size = 0
  private head: Run | undefined
  private tail: Run | undefined

  push(run: Run): void {
    run.list = this
    run.previous = this.tail
    if (this.tail === undefined) this.head = run
    else this.tail.next = run
    this.tail = run
    this.size++
  }

  /** Returns a run to the head: it was here first. */
  unshift(run: Run): void {
    run.list = this
    run.next = this.head
    if (this.head === undefined) this.tail = run
    else this.head.previous = run
    this.head = run
    this.size++
  }

  peek(): Run | undefined {
    return this.head
  }

  shift(): Run | undefined {
    const run = this.head
    if (run !== undefined) this.remove(run)
    return run
  }

  remove(run: Run): void {
    if (run.previous === undefined) this.head = run.next
    else run.previous.next = run.next
    if (run.next === undefined) this.tail = run.previous
    else run.next.previous = run.previous
    run.previous = run.next = run.list = undefined
    this.size--
  }

  /** A copy; the list may change during the iteration. */
  toArray(): Array<Run> {
    const runs: Array<Run> = []
    for (let run = this.head; run !== undefined; run = run.next) runs.push(run)
    return runs
  }
}
