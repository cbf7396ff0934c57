/**
 * One submission of a task: what the scheduler knows of it from the call to its
 * end, and the queue in which it waits.
 */
import type * as Exit from "effect/Exit"
import type { PoolThread } from "./poolThread.ts"
import type { ResolvedTask } from "./resolvedTask.ts"

/** Its submitter is suspended because the queue is full. */
export const Waiting = 0
/** In the queue. */
export const Queued = 1
/** Sent to a thread, which may or may not have claimed it. */
export const Assigned = 2
/** Ended, whatever its thread may still be doing. */
export const Done = 3

/** Who asked for the stop. Nobody reads the exit of an interrupted run. */
export type StopBy = "Abort" | "Interrupt" | "TimeLimit" | "Shutdown"

export type RunExit = Exit.Exit<unknown, unknown>

export class Run {
  state: typeof Waiting | typeof Queued | typeof Assigned | typeof Done = Waiting
  /** The arguments; kept until the end, because a thread can die before it claims the task. */
  args: Array<unknown>
  /** What of them is moved. */
  transfer: Array<object> | undefined
  thread: PoolThread | undefined
  sequence = 0
  /** How many threads have died before they claimed it. */
  losses = 0
  startedAt = 0
  endedAt = 0
  stop: StopBy | undefined
  cancelTimer: (() => void) | undefined
  /** Told when it is in the queue or on a thread: it was not refused. */
  onAccepted: ((run: Run) => void) | undefined
  /** Set for the request of a lease, which takes a thread and runs nothing on it. */
  onGranted: ((thread: PoolThread) => void) | undefined
  observers: Array<() => void> | undefined

  list: RunList | undefined
  previous: Run | undefined
  next: Run | undefined

  readonly id: number
  readonly task: ResolvedTask
  readonly submittedAt: number
  onEnd: (exit: RunExit, run: Run) => void

  constructor(
    id: number,
    task: ResolvedTask,
    args: Array<unknown>,
    submittedAt: number,
    onEnd: (exit: RunExit, run: Run) => void
  ) {
    this.id = id
    this.task = task
    this.args = args
    this.submittedAt = submittedAt
    this.onEnd = onEnd
  }
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
