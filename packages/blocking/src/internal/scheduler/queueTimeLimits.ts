/**
 * Runs that wait with a `queueTimeLimit`, and one timer for all of them.
 *
 * Runs with the same limit expire in the order in which they were submitted, so each
 * limit has a line, and only the first of each line is checked.
 */
import type { ThreadHost } from "../../ThreadHost.ts"
import type { Run } from "./run.ts"

/** The place of a run in its line. */
export class QueueDeadline {
  previous: QueueDeadline | undefined
  next: QueueDeadline | undefined
  readonly line: Line
  readonly run: Run

  constructor(line: Line, run: Run) {
    this.line = line
    this.run = run
  }
}

interface Line {
  readonly limitMillis: number
  first: QueueDeadline | undefined
  last: QueueDeadline | undefined
}

export class QueueTimeLimits {
  private readonly lines = new Map<number, Line>()
  private cancelTimer: (() => void) | undefined
  private timerAt = Infinity
  private readonly host: ThreadHost
  private readonly onExpired: (run: Run, limitMillis: number) => void

  constructor(host: ThreadHost, onExpired: (run: Run, limitMillis: number) => void) {
    this.host = host
    this.onExpired = onExpired
  }

  /** Watches a run that waits; does nothing if its task has no limit, or if it is watched already. */
  watch(run: Run): void {
    const limitMillis = run.task.queueTimeLimitMillis
    if (limitMillis === undefined || limitMillis === Infinity || run.details?.queueDeadline !== undefined) return
    let line = this.lines.get(limitMillis)
    if (line === undefined) this.lines.set(limitMillis, line = { limitMillis, first: undefined, last: undefined })
    const deadline = new QueueDeadline(line, run)
    run.detailed().queueDeadline = deadline
    // A run that was taken back from a thread came before the others.
    let previous = line.last
    while (previous !== undefined && previous.run.submittedAt > run.submittedAt) previous = previous.previous
    deadline.previous = previous
    deadline.next = previous === undefined ? line.first : previous.next
    if (deadline.previous === undefined) line.first = deadline
    else deadline.previous.next = deadline
    if (deadline.next === undefined) line.last = deadline
    else deadline.next.previous = deadline
    this.wakeAt(run.submittedAt + limitMillis)
  }

  /** The run no longer waits. */
  forget(run: Run): void {
    const deadline = run.details?.queueDeadline
    if (deadline === undefined) return
    run.details!.queueDeadline = undefined
    const { line, next, previous } = deadline
    if (previous === undefined) line.first = next
    else previous.next = next
    if (next === undefined) line.last = previous
    else next.previous = previous
    if (line.first !== undefined) return
    this.lines.delete(line.limitMillis)
    if (this.lines.size > 0) return
    this.cancelTimer?.()
    this.cancelTimer = undefined
    this.timerAt = Infinity
  }

  private wakeAt(time: number): void {
    if (time >= this.timerAt) return
    this.cancelTimer?.()
    this.timerAt = time
    this.cancelTimer = this.host.schedule(Math.max(0, time - this.host.now()), () => this.expire())
  }

  private expire(): void {
    this.cancelTimer = undefined
    this.timerAt = Infinity
    const now = this.host.now()
    for (const line of Array.from(this.lines.values())) {
      // A callback may change the line: its first is read again each time.
      while (line.first !== undefined && line.first.run.submittedAt + line.limitMillis <= now) {
        const { run } = line.first
        this.forget(run)
        this.onExpired(run, line.limitMillis)
      }
    }
    for (const { first, limitMillis } of this.lines.values()) this.wakeAt(first!.run.submittedAt + limitMillis)
  }
}
