/** How a pool ends: queued tasks are cancelled, running ones get time, then the ladder. Every step has a bound (D2 to D4). */
import type { ThreadHost } from "../../ThreadHost.ts"
import type { Queue } from "./queue.ts"
import type { Run } from "./run.ts"
import type { Threads } from "./threads.ts"

/** The steps that a shutdown took, for the log. */
export interface ShutdownReport {
  /** Queued tasks that never ran. */
  cancelled: number
  /** Names of the tasks whose threads were terminated. */
  readonly terminated: Array<string>
  /** Names of the tasks whose threads could not be terminated, and still run. */
  readonly abandoned: Array<string>
}

export interface ShutdownOptions {
  readonly shutdownMillis: number
  readonly graceMillis: number
}

export interface ShutdownListener {
  /** Ends a run that waits in a queue. */
  readonly onCancel: (run: Run) => void
  /** Starts the ladder for a run that is on a thread. */
  readonly onStop: (run: Run) => void
  readonly onClosed: (report: ShutdownReport) => void
}

export class Shutdown {
  done = false
  /** `shutdownMillis` have passed, or were cut short. */
  private stopping = false
  /** No task starts any more, mandatory ones included: one taken back from a thread would start another thread (D4). */
  over = false
  readonly report: ShutdownReport = { cancelled: 0, terminated: [], abandoned: [] }
  private timers: ReadonlyArray<() => void> = []
  private readonly queue: Queue
  private readonly threads: Threads
  private readonly listener: ShutdownListener

  constructor(queue: Queue, threads: Threads, listener: ShutdownListener) {
    this.queue = queue
    this.threads = threads
    this.listener = listener
  }

  begin(host: ThreadHost, { graceMillis, shutdownMillis }: ShutdownOptions): void {
    // There was nothing to end, and a submitter's callback has called `check` already.
    if (this.done) return
    this.threads.close()
    // All threads are being terminated, whatever a task's own grace period, from the
    // second timer on, and have ended or are abandoned `terminateMillis` later.
    this.timers = [
      host.schedule(shutdownMillis, () => this.stopAll()),
      host.schedule(shutdownMillis + graceMillis, () => this.terminateAll())
    ]
    for (const run of this.queue.toArray()) {
      if (!run.task.mandatory) this.cancel(run)
    }
    for (const thread of this.threads.all) thread.lease?.onClosing((run) => this.cancel(run))
    if (this.queue.size === 0) this.threads.endUnused()
  }

  /** Skips the rest of `shutdownMillis`. Never prolongs a shutdown: once the ladder is climbed, it changes nothing. */
  forceShutdown(host: ThreadHost, { graceMillis }: ShutdownOptions): void {
    if (this.stopping || this.done) return
    for (const cancel of this.timers) cancel()
    this.timers = [host.schedule(graceMillis, () => this.terminateAll())]
    this.stopAll()
  }

  /** The thread of a task was terminated without effect: the report names the task once. */
  markAbandoned(task: string): void {
    const { abandoned, terminated } = this.report
    const index = terminated.indexOf(task)
    if (index >= 0) terminated.splice(index, 1)
    abandoned.push(task)
  }

  /** Takes a run that waits out of its queue. */
  cancel(run: Run): void {
    if (run.list === undefined) return
    run.list.remove(run)
    this.markCancelled(run)
    this.listener.onCancel(run)
  }

  /** A run that was taken back, and gets no other thread, ends like those in the queue. */
  markCancelled(run: Run): void {
    run.stop = "Shutdown"
    this.report.cancelled++
  }

  private stopAll(): void {
    this.stopping = true
    if (this.queue.size === 0) this.threads.endUnused()
    for (const thread of Array.from(this.threads.all)) {
      for (const run of [...thread.assigned, ...thread.open]) this.listener.onStop(run)
      if (thread.lease !== undefined && thread.assigned.length === 0) this.threads.terminate(thread)
    }
    this.check()
  }

  private terminateAll(): void {
    this.over = true
    for (const run of this.queue.toArray()) this.cancel(run)
    for (const thread of Array.from(this.threads.all)) this.threads.terminate(thread)
    this.check()
  }

  /** Ends if nothing is left. A mandatory task can still wait for a thread when all have ended. */
  check(): void {
    if (this.done || this.threads.all.size > 0 || this.queue.size > 0) return
    this.done = true
    for (const cancel of this.timers) cancel()
    this.threads.close()
    this.listener.onClosed(this.report)
  }
}
