/**
 * One submission of a task: what the scheduler knows of it from the call to its
 * end, and the queue in which it waits.
 *
 * A million of them can wait at once. What only some have is in `RunDetails`.
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
/** Ended, whatever its thread may still be doing. */
export const Done = 3
/** Its body was left at a `yield`: it is open on its thread, and not in it. */
export const Suspended = 4

/** Who asked for the stop. Nobody reads the exit of an interrupted run, nor of a stream whose consumer has closed it. */
export type StopBy = "Abort" | "Interrupt" | "TimeLimit" | "IdleLimit" | "Shutdown" | "Close"

/** What a run asks of its thread (G10): nothing … */
export const AnyThread = 0
/** … that no body was left in it that can hold it up … */
export const NoWaitingBody = 1
/** … that none was left in it at all. */
export const NoOpenBody = 2

export type RunExit = Exit.Exit<unknown, unknown>

export class Run {
  state: typeof Waiting | typeof Queued | typeof Assigned | typeof Done | typeof Suspended = Waiting
  /**
   * The arguments, what `ThreadHost.pack` made of them, or where they lie in the pool's memory; kept until the end,
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

  /** What of the arguments is moved. */
  get transfer(): Array<object> | undefined {
    return this.details?.transfer
  }

  /** Whether it is the request of a lease, which takes a thread and runs nothing on it. */
  get isLease(): boolean {
    return this.details?.onGranted !== undefined
  }

  /**
   * A body that can wait in its thread, for the program or for its input, would hold up those that were left there:
   * what it waits for could wait for them. A lease is for whatever comes.
   */
  get needs(): typeof AnyThread | typeof NoWaitingBody | typeof NoOpenBody {
    if (this.task.mayWait || this.isLease) return NoOpenBody
    return this.details?.coroutine === undefined ? AnyThread : NoWaitingBody
  }

  /** Whether what was left in the thread allows it. */
  fits(thread: PoolThread): boolean {
    const { needs } = this
    return needs === AnyThread || thread.open.size === 0 || (needs === NoWaitingBody && !thread.isHeldUp)
  }

  /** Whether its body was left and has not ended: it is bound to its thread. */
  get isOpen(): boolean {
    const coroutine = this.details?.coroutine
    return coroutine !== undefined && coroutine.id !== 0
  }

  /** How long it took to copy its arguments, if that was long. */
  get copyMillis(): number {
    return this.details === undefined ? 0 : this.details.copyMillis
  }

  /** How many threads have died before they claimed it. */
  get losses(): number {
    return this.details === undefined ? 0 : this.details.losses
  }

  /** Its details, made if it has none. */
  detailed(): RunDetails {
    return this.details ??= new RunDetails()
  }
}

/** What not every run has: made for those of which someone keeps a handle or a span, or when there is need. */
export class RunDetails {
  /** What of the arguments is to be moved, while it is still its caller's. */
  moves: Moves | undefined
  /** How long it took to copy the arguments, if that was long. */
  copyMillis = 0
  /** What a message has to transfer. */
  transfer: Array<object> | undefined
  losses = 0
  /** When its body was entered, 0 if it has not been or never was. */
  startedAt = 0
  endedAt = 0
  /** While it waits, if its task has a `queueTimeLimit`. */
  queueDeadline: QueueDeadline | undefined
  /** Told when it is in the queue or on a thread: it was not refused. */
  onAccepted: ((run: Run) => void) | undefined
  onGranted: ((thread: PoolThread) => void) | undefined
  /** If its body can be left. */
  coroutine: Coroutine | undefined
  /** Who takes the calls of its body, if it may make any. */
  calls: CallTaker | undefined
  /** Whether a body of this pool waits for what has submitted it. */
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

  /** Puts a run back before all others: it was here first. */
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

  /** The runs as they are now; the list may be changed while they are visited. */
  toArray(): Array<Run> {
    const runs: Array<Run> = []
    for (let run = this.head; run !== undefined; run = run.next) runs.push(run)
    return runs
  }
}
