/**
 * Monitors busy threads: results that lie in the control block, tasks
 * over their time limit, batches that make no progress, threads that claim nothing. One
 * timer for the pool, whatever the number of tasks.
 *
 * | word         | what was seen                                               | what is done                              |
 * | ------------ | ----------------------------------------------------------- | ----------------------------------------- |
 * | stalled      | the first task of a batch runs for longer than `stallMillis` | the tasks behind it run elsewhere, if a thread is free |
 * | unresponsive | the first task is not claimed within `unresponsiveMillis`   | the whole batch runs elsewhere, if a thread is free |
 * | wedged       | … within `wedgedMillis`, or its module loads for 30 s; the monitor's own lateness does not count | the thread is terminated |
 * | stuck        | it was terminated, and has not ended within `terminateTimeout` | it is abandoned (`threads`)            |
 */
import type { ThreadHost } from "../../ThreadHost.ts"
import * as controlBlock from "../wire/controlBlock.ts"
import type { Coroutine } from "./coroutine.ts"
import type { PoolThread } from "./poolThread.ts"
import { Assigned, Done, type Run } from "./run.ts"
import { startTimeoutMillis, type Threads } from "./threads.ts"

/** A thread whose task runs longer is stalled. Arbitrary: above the time of a batch, about a timer's tick. */
const stallMillis = 1

/** A thread that has not claimed its first task by then is unresponsive: busy with something else. Arbitrary. */
const unresponsiveMillis = 20

/** A thread that claims nothing for this long is wedged. Arbitrary: longer than any pause of the machine. */
const wedgedMillis = 5000

/** A thread may take this many times longer to read arguments than their copy took. Arbitrary: reading was seen to take up to three times as long. */
const readFactor = 20

export interface MonitorListener {
  /** Results in the control block need not wait for their message. */
  readonly onTick: (thread: PoolThread) => void
  /** The thread is in the body of the run. */
  readonly onRunning: (run: Run, thread: PoolThread, startedAt: number) => void
  readonly onTimeLimit: (run: Run) => void
  /** How long a body that can be left may still run, counted from when it was last entered. */
  readonly limitOf: (run: Run, coroutine: Coroutine) => number | undefined
  /** The thread is stalled or unresponsive, and its unclaimed tasks could run elsewhere. */
  readonly onStalled: (thread: PoolThread) => void
  /** The thread is wedged: for `millis` it has not claimed its first task, or has been loading the module of one. */
  readonly onWedged: (thread: PoolThread, millis: number, loading: Run | undefined) => void
}

export class Monitor {
  private cancelTimer: (() => void) | undefined
  private timerAt = Infinity
  /** The total lateness of its timers: a machine that delays this thread delays the others, too. */
  private lateMillis = 0
  private readonly host: ThreadHost
  private readonly threads: Threads
  private readonly listener: MonitorListener

  constructor(host: ThreadHost, threads: Threads, listener: MonitorListener) {
    this.host = host
    this.threads = threads
    this.listener = listener
  }

  /** The thread has just been sent something: schedules its next inspection. */
  sent(thread: PoolThread): void {
    const now = this.host.now()
    thread.sentAt = now
    thread.lateAtSent = this.lateMillis
    this.wakeIn(this.inspect(thread, now), now)
  }

  stop(): void {
    this.cancelTimer?.()
    this.cancelTimer = undefined
    this.timerAt = Infinity
  }

  private wakeIn(delayMillis: number, now: number): void {
    const at = now + delayMillis
    if (at >= this.timerAt) return
    this.cancelTimer?.()
    this.timerAt = at
    this.cancelTimer = this.host.schedule(delayMillis, () => this.tick())
  }

  private tick(): void {
    this.lateMillis += Math.max(0, this.host.now() - this.timerAt)
    this.cancelTimer = undefined
    this.timerAt = Infinity
    let next = Infinity
    for (const thread of Array.from(this.threads.all)) {
      if (thread.assigned.length === 0) continue
      this.listener.onTick(thread)
      next = Math.min(next, this.inspect(thread, this.host.now()))
    }
    this.wakeIn(next, this.host.now())
  }

  /** Acts on what is due; returns the milliseconds until the next inspection. */
  private inspect(thread: PoolThread, now: number): number {
    const { assigned } = thread
    // All its results may just have been collected from the control block.
    if (thread.state !== "Ready" || assigned.length === 0) return Infinity
    const behind = assigned.length > 1
    let next = Infinity
    for (const run of assigned) {
      const coroutine = run.details?.coroutine
      const limit = coroutine === undefined ? run.task.timeLimitMillis : this.listener.limitOf(run, coroutine)
      if (limit === undefined || run.state === Done || run.stop === "TimeLimit") continue
      // Measured from when the body was entered; time in the queue is excluded.
      const startedAt = thread.startedAt(run)
      const left = startedAt === undefined ? limit : startedAt + limit - now
      if (left <= 0) this.listener.onTimeLimit(run)
      else next = Math.min(next, left)
    }
    // The first task delays those behind it: because it runs or loads its module, or because
    // the thread is in work that an earlier task has left behind.
    const { running } = thread
    const first = assigned[0]!
    if (running === undefined && thread.expected !== first && controlBlock.hasEnded(thread.control, first.sequence)) {
      // Its message may have arrived and not been read, as timers come first. The wait for it begins here.
      thread.expected = first
      thread.sentAt = now
      thread.lateAtSent = this.lateMillis
    }
    const since = running === undefined ? undefined : thread.startedAt(running)
    if (since !== undefined) this.listener.onRunning(running!, thread, since)
    const waited = now - (since ?? thread.sentAt)
    // A thread reads a large message before it can claim anything, and large arguments before it enters the body.
    const reading = readFactor * (running ?? first).copyMillis
    if (since === undefined) {
      const late = this.lateMillis - thread.lateAtSent
      const limit = (running === undefined ? wedgedMillis : startTimeoutMillis) + reading + late
      if (waited > limit) {
        this.listener.onWedged(thread, limit, running)
        return Infinity
      }
      next = Math.min(next, Math.max(limit - waited, stallMillis))
    }
    if (running !== undefined && !behind) return next
    // A batch is inspected at every tick: its first task can be entered at any time.
    next = Math.min(next, behind ? stallMillis : unresponsiveMillis)
    const stalled = waited > (running === undefined ? unresponsiveMillis + reading : stallMillis)
    const elsewhere = this.threads.idleCount > 0 || this.threads.startable > 0
    if (stalled && elsewhere && assigned.some((run) => run.state === Assigned && !run.isOpen)) {
      this.listener.onStalled(thread)
    }
    return next
  }
}
