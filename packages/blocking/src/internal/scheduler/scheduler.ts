/**
 * The scheduler of one pool: takes a run from its submission to its outcome.
 *
 * It knows no platform and no fiber. It is plain synchronous code over a
 * `ThreadHost`, called from two sides: the pool's operations (`submit`, `stop`,
 * `close` …) and the host's events. Each call leaves the scheduler consistent before
 * it reports an outcome, because the resumed fiber runs at once and may
 * call back in.
 *
 * The states of a run, and who moves it:
 *
 * ```text
 *             submit                room                    dispatcher
 *   (refused) <----- Waiting ----------------> Queued --------------------> Assigned
 *       |               |                        ^  |   (an idle thread: at once)  |
 *       |               |                        |  |                              |
 *       |               |     taken back from a stalled thread, or one that        |
 *       |               |     is terminated or has died (takeBack)                 |
 *       |               |                        '---------------------------------|
 *       v               v                           v                              v
 *      Done <-----------'---------------------------'------------------------------'
 *            stop, queueTimeLimit, shutdown (outcomes)    results, stop, loss of the thread
 * ```
 *
 * - `Waiting`: its submitter is suspended, because the queue is full. Values to be moved still belong to the caller.
 * - `Queued`: accepted. The run owns its arguments, moved ones included.
 * - `Assigned`: sent to a thread. Only the thread's control block says whether it was claimed.
 * - `Done`: settled, once, by `Outcomes`. Its thread may still run it; later results are dropped.
 *
 * Its parts are modules of their own: `threads` (their lifecycle), `dispatcher` (runs to
 * threads), `results` (from threads), `outcomes` (how runs end), `monitor` (time), `ladder`
 * (stops), `losses` (of threads), `calls` and `nesting` (bodies that call the program),
 * `queueTimeLimits`, `prewarm`, `recycling` and `shutdown`.
 */
import * as Exit from "effect/Exit"
import { type JoinErrorReason, QueueFull, QueueTimedOut, ShutDown, WouldDeadlock } from "../../JoinError.ts"
import type { ThreadHost } from "../../ThreadHost.ts"
import type { ResolvedTask } from "../task/resolved.ts"
import * as controlBlock from "../wire/controlBlock.ts"
import * as protocol from "../wire/protocol.ts"
import { decode } from "../wire/restored.ts"
import { ownArguments, takeOwnership } from "./arguments.ts"
import { Calls } from "./calls.ts"
import { Coroutines } from "./coroutines.ts"
import { Dispatcher } from "./dispatcher.ts"
import type { SchedulerEvent } from "./events.ts"
import { Ladder } from "./ladder.ts"
import { Losses } from "./losses.ts"
import { Monitor } from "./monitor.ts"
import { Nesting } from "./nesting.ts"
import type { SchedulerOptions } from "./options.ts"
import { cancelledInQueue, failure } from "./outcome.ts"
import { Outcomes } from "./outcomes.ts"
import { Payloads } from "./payloads.ts"
import type { PoolThread } from "./poolThread.ts"
import { Prewarm, type PrewarmFailure } from "./prewarm.ts"
import { Queue } from "./queue.ts"
import { QueueTimeLimits } from "./queueTimeLimits.ts"
import { Recycling } from "./recycling.ts"
import { Results } from "./results.ts"
import {
  AnyThread,
  Assigned,
  Done,
  Queued,
  Run,
  RunDetails,
  type RunExit,
  RunList,
  type StopBy,
  Suspended,
  Waiting
} from "./run.ts"
import { Shutdown, type ShutdownReport } from "./shutdown.ts"
import { TaskDefinitions } from "./taskDefinitions.ts"
import { Threads } from "./threads.ts"

export class Scheduler {
  /** Accepted runs that are not on a thread. */
  readonly queue = new Queue()
  /** Runs whose submitters are suspended, because the queue is full. */
  readonly waiting = new RunList()
  readonly threads: Threads
  readonly outcomes: Outcomes
  readonly results: Results
  /** Memory for arguments; `undefined` if the host's threads share none. */
  readonly payloads: Payloads | undefined
  readonly coroutines: Coroutines
  private readonly definitions = new TaskDefinitions()
  readonly dispatcher: Dispatcher
  private readonly monitor: Monitor
  readonly queueTimeLimits: QueueTimeLimits
  private readonly prewarmed: Prewarm
  private readonly recycling: Recycling | undefined
  readonly ladder: Ladder
  readonly calls: Calls
  private readonly losses: Losses
  private readonly nesting: Nesting
  private shutdown: Shutdown | undefined
  private onClosed: ((report: ShutdownReport) => void) | undefined
  private readonly forgetForceShutdown: (() => void) | undefined

  private lastId = 0
  private keptAlive = false
  readonly host: ThreadHost
  readonly options: SchedulerOptions
  private readonly onEvent: (event: SchedulerEvent) => void

  constructor(host: ThreadHost, options: SchedulerOptions, onEvent: (event: SchedulerEvent) => void) {
    this.host = host
    this.options = options
    this.onEvent = onEvent
    if (host.payloads !== undefined) {
      this.payloads = new Payloads(host.payloads, host.pack === undefined, (chunk) => this.threads.forgetChunk(chunk))
    }
    this.outcomes = new Outcomes(host, this.payloads, {
      onSettled: (run) => {
        this.queueTimeLimits.forget(run)
        this.coroutines.onSettled(run)
        this.calls.stop(run)
      },
      onIdle: () => this.updateKeepAlive(),
      onEvent
    })
    this.coroutines = new Coroutines(host, options.graceMillis, {
      onResumption: (thread) => this.goOn(thread),
      hasOthers: (thread) => thread.leaving || (this.queue.size > 0 && this.queue.fits(thread)),
      onStop: (run, thread, by) => this.ladder.count("Requested", run, thread, by),
      onQuestion: (run, question) => this.nesting.onQuestion(run, question),
      onUnasked: (run) => this.nesting.onUnasked(run)
    })
    this.results = new Results(host, this.outcomes, this.coroutines, this.payloads, {
      onEnded: (thread) => {
        if (!thread.healthy) this.threads.markHealthy(thread)
        this.free(thread)
        this.pump()
      },
      onEvent
    })
    this.threads = new Threads(host, options, {
      onReady: (thread, failures) => this.onReady(thread, failures),
      onMessage: (thread, message) => {
        if (message[0] === protocol.Call) this.calls.onMessage(thread, message)
        else this.results.onMessage(thread, message)
      },
      onMessageError: (thread, error) => this.results.onMessageError(thread, error),
      onTerminating: (thread, previous) => this.losses.onTerminating(thread, previous),
      onAbandoned: (thread) => this.losses.onAbandoned(thread),
      onStuckLimit: (stuck, places) => this.onEvent({ _tag: "StuckLimit", stuck, places }),
      onEnded: (thread, exit, previous) => this.losses.onEnded(thread, exit, previous),
      onStartFailed: (attempt, cause) => this.onEvent({ _tag: "StartFailed", attempt, cause }),
      onNoThreads: (attempts, cause) => {
        this.losses.onNoThreads(attempts, cause)
        this.prewarmed.check({ _tag: "SpawnFailed", attempts, cause })
        this.updateKeepAlive()
      },
      onRetry: () => this.pump()
    })
    this.calls = new Calls(host, this.outcomes, {
      onWaiting: (thread) => {
        this.threads.beginWait(thread)
        this.results.collect(thread)
        this.losses.takeBack(thread)
        this.pump()
      },
      onAnswered: (thread) => this.threads.endWait(thread),
      onQuestionAnswered: (run) => {
        this.coroutines.endQuestion(run.details!.coroutine!)
        this.nesting.takePlaceBack(run)
        this.coroutines.resume(run)
      }
    })
    this.monitor = new Monitor(host, this.threads, {
      onTick: (thread) => this.results.collect(thread),
      onRunning: (run, thread, startedAt) => this.outcomes.taskEvents.onRunning(run, thread, startedAt),
      onTimeLimit: (run) => this.ladder.onTimeLimit(run),
      limitOf: (run, coroutine) => this.coroutines.limitOf(run, coroutine),
      onStalled: (thread) => {
        this.losses.takeBack(thread)
        this.pump()
      },
      onWedged: (thread, millis, loading) => this.losses.onWedged(thread, millis, loading)
    })
    this.queueTimeLimits = new QueueTimeLimits(host, (run, limitMillis) => {
      run.list!.remove(run)
      const queueDepth = this.queue.size + this.waiting.size
      this.outcomes.settleWith(run, failure(run, () => new QueueTimedOut({ limitMillis, queueDepth })))
      this.pump()
    })
    this.dispatcher = new Dispatcher(host, this.queue, this.threads, this.payloads, {
      onSent: (thread) => this.monitor.sent(thread),
      onTaken: (run) => this.queueTimeLimits.forget(run),
      onUnused: (thread) => this.free(thread)
    })
    this.prewarmed = new Prewarm(this.threads)
    if (options.recycle !== undefined) this.recycling = new Recycling(host, this.threads, options.recycle)
    this.ladder = new Ladder(host, options.graceMillis, this.threads, this.results, this.outcomes, {
      isNeeded: (thread) => this.isNeeded(thread),
      takeBack: (thread) => this.losses.takeBack(thread),
      onTakenBack: () => this.pump(),
      onStop: (run) => this.calls.stop(run),
      onEvent
    })
    this.losses = new Losses(this, {
      shutdown: () => this.shutdown,
      onTakenBack: () => this.pump(),
      onGone: (thread) => this.recycling?.onGone(thread),
      onSettled: () => {
        this.prewarmed.check()
        this.shutdown?.check()
      },
      onEvent
    })
    this.nesting = new Nesting(this, options.maxThreads, { onPlace: () => this.pump(), onEvent })
    this.forgetForceShutdown = host.onForceShutdown?.(() => this.forceShutdown())
    this.threads.start(0)
  }

  get queueDepth(): number {
    return this.queue.size
  }

  get suspended(): number {
    return this.waiting.size
  }

  now(): number {
    return this.host.now()
  }

  // ---------------------------------------------------------------------------
  // Submission
  // ---------------------------------------------------------------------------

  /** Pass `details` if more than the outcome of the run is needed. */
  submit(
    task: ResolvedTask,
    args: Array<unknown>,
    onEnd: (exit: RunExit, run: Run) => void,
    details?: RunDetails
  ): Run {
    const run = this.makeRun(task, args, onEnd, details)
    if (this.prepare(run)) this.admit(run)
    return run
  }

  /** Requests a thread to hold: calls `onGranted` with it, unless `onEnd` comes first. */
  requestLease(
    task: ResolvedTask,
    onGranted: (thread: PoolThread) => void,
    onEnd: (exit: RunExit, run: Run) => void,
    details = new RunDetails()
  ): Run {
    details.onGranted = onGranted
    return this.submit(task, [], onEnd, details)
  }

  private makeRun(
    task: ResolvedTask,
    args: Array<unknown>,
    onEnd: (exit: RunExit, run: Run) => void,
    details: RunDetails | undefined
  ): Run {
    const { time } = this.results
    const now = time === 0 || task.queueTimeLimitMillis !== undefined ? this.host.now() : time
    return this.outcomes.expect(new Run(++this.lastId, task, this.definitions.of(task), args, now, onEnd, details))
  }

  /** Prepares the run for sending, or ends it. */
  private prepare(run: Run): boolean {
    const refused = this.shutdown === undefined
      ? ownArguments(run, this.host, this.payloads)
      : failure(run, () => new ShutDown())
    if (refused !== undefined) this.outcomes.settleWith(run, refused)
    return refused === undefined
  }

  /** Tasks for which a thread is idle, starting or can be started do not count against the queue's capacity. */
  private hasRoom(run: Run): boolean {
    return this.threads.hasIdle(run) || this.queue.size < this.options.queueCapacity + this.threads.startable
  }

  private admit(run: Run): void {
    const { onFull, queueCapacity } = this.options
    if (this.waiting.size === 0 && this.hasRoom(run)) {
      this.accept(run)
    } else if (onFull === "fail") {
      return this.outcomes.settleWith(run, failure(run, () => new QueueFull({ capacity: queueCapacity })))
    } else {
      this.waiting.push(run)
      this.queueTimeLimits.watch(run)
      this.start()
    }
    this.updateKeepAlive()
    if (run.details !== undefined) this.nesting.check()
  }

  /** Gives the run to an idle thread, or queues it. */
  private accept(run: Run): void {
    const thread = this.threads.takeIdle(run)
    if (thread !== undefined) {
      if (run.isLease) return this.grant(thread, run)
      const refused = this.dispatcher.assign(thread, run)
      if (refused === undefined) return this.outcomes.reportAccepted(run)
      // The thread is idle again before the outcome is reported.
      this.threads.putBack(thread)
      this.outcomes.settleWith(run, refused)
      return this.pump()
    }
    this.enqueue(run, this.queue)
    if (run.state === Queued) {
      this.outcomes.reportAccepted(run)
      this.start()
    }
  }

  /** Queues a run as accepted; ends it if a value cannot be moved. */
  private enqueue(run: Run, list: Queue | RunList): void {
    const refused = takeOwnership(run)
    if (refused !== undefined) return this.outcomes.settleWith(run, refused)
    run.state = Queued
    list.push(run)
    this.queueTimeLimits.watch(run)
  }

  // ---------------------------------------------------------------------------
  // Dispatch
  // ---------------------------------------------------------------------------

  /** Rebalances after any change: runs for idle threads, room for suspended submitters, threads for the queue. */
  private pump(): void {
    // Again, while a thread got nothing: its runs were refused, or a callback stopped them.
    while (this.queue.size > 0 && this.threads.idleCount > 0) {
      const { any, leases, refused } = this.dispatcher.dispatch()
      for (const [run, outcome] of refused) this.outcomes.settleWith(run, outcome)
      for (const [run, thread] of leases) this.grant(thread, run)
      if (!any) break
    }
    for (let run = this.nextWaiting(); run !== undefined; run = this.nextWaiting()) {
      this.waiting.remove(run)
      this.accept(run)
    }
    if (this.coroutines.open > 0) { for (const thread of this.threads.resumable) this.goOn(thread) }
    this.start()
    this.threads.watchKeepAlive()
    this.updateKeepAlive()
    this.nesting.check()
  }

  /** The first suspended run for which there is room. A run that needs a particular kind of thread does not delay runs that any can take. */
  private nextWaiting(): Run | undefined {
    const first = this.waiting.peek()
    if (first === undefined || this.hasRoom(first)) return first
    if (first.needs === AnyThread || this.threads.idleCount === 0) return undefined
    return this.waiting.toArray().find((run) => this.hasRoom(run))
  }

  /** Starts threads for runs that wait. */
  private start(): void {
    this.threads.start(this.queue.size + this.waiting.size)
    // All places are taken, but not every thread can take the runs that wait.
    const { queue, threads } = this
    while (threads.startingCount < queue.restricted && threads.park()) threads.start(queue.size)
  }

  /** The thread has nothing more to do. */
  private free(thread: PoolThread): void {
    if (thread.state !== "Ready" || thread.assigned.length > 0) return
    const { lease, open, resumptions } = thread
    const hasOthers = lease === undefined ? this.queue.fits(thread) && !thread.leaving : lease.hasWaiting()
    if (resumptions.size > 0 && !(thread.resumedLast && hasOthers)) return this.dispatcher.resume(thread)
    if (lease !== undefined) return lease.onFree()
    const isLeaving = thread.leaving || (this.shutdown !== undefined && this.queue.size === 0)
    if (isLeaving && open.size === 0) return this.threads.retire(thread)
    // It serves only its open bodies.
    if (thread.leaving) return
    this.threads.rest(thread)
    this.recycling?.onFree(thread)
  }

  /** Resumes the open bodies of a thread, if it has nothing to do. */
  private goOn(thread: PoolThread): void {
    if (thread.state !== "Ready" || thread.assigned.length > 0 || thread.resumptions.size === 0) return
    this.threads.take(thread)
    this.dispatcher.resume(thread)
  }

  /** Whether tasks wait that no other thread can take. */
  private isNeeded({ lease }: PoolThread): boolean {
    if (lease !== undefined) return lease.hasWaiting()
    return this.queue.size + this.waiting.size > 0 && this.threads.idleCount + this.threads.startable === 0
  }

  // ---------------------------------------------------------------------------
  // Leases
  // ---------------------------------------------------------------------------

  private grant(thread: PoolThread, run: Run): void {
    // A callback has stopped it meanwhile.
    if (run.state === Done) return this.free(thread)
    this.queueTimeLimits.forget(run)
    run.state = Assigned
    run.thread = thread
    this.outcomes.call(run.task.name, run.details!.onGranted!, thread)
  }

  /** Ends a lease; its thread, if it still exists, takes other tasks again. */
  release(run: Run): void {
    const thread = run.thread!
    this.outcomes.settle(run, "Succeeded", Exit.void)
    if (thread.lease === undefined) return
    thread.lease = undefined
    this.free(thread)
    this.pump()
  }

  /** Makes a run for a leased thread, or ends it. */
  makeLeasedRun(
    task: ResolvedTask,
    args: Array<unknown>,
    onEnd: (exit: RunExit, run: Run) => void,
    details?: RunDetails
  ): Run | undefined {
    const run = this.makeRun(task, args, onEnd, details)
    return this.prepare(run) ? run : undefined
  }

  /** Sends a run to a leased thread if the thread is free; otherwise queues it in the lease. */
  submitTo(thread: PoolThread, run: Run, calls: RunList): void {
    if (thread.assigned.length > 0) return this.enqueue(run, calls)
    if (!run.fits(thread)) {
      this.fail(run, () => new WouldDeadlock({ threads: 1, maxThreads: this.options.maxThreads, detail: heldUp }))
      return this.free(thread)
    }
    const refused = this.dispatcher.assign(thread, run)
    if (refused !== undefined) {
      this.outcomes.settleWith(run, refused)
      this.free(thread)
    }
    this.updateKeepAlive()
  }

  /** Fails a run that no thread will take. */
  fail(run: Run, makeReason: () => JoinErrorReason): void {
    this.outcomes.settleWith(run, failure(run, makeReason))
  }

  // ---------------------------------------------------------------------------
  // Stopping
  // ---------------------------------------------------------------------------

  /** Takes a run back if it has not started; otherwise climbs the ladder. */
  stop(run: Run, by: StopBy): void {
    switch (run.state) {
      case Done:
        return
      case Waiting:
      case Queued: {
        run.list?.remove(run)
        run.stop = by
        this.outcomes.settleWith(run, cancelledInQueue(run))
        // There is room for a suspended submitter.
        if (this.waiting.size > 0) this.pump()
        this.shutdown?.check()
        return
      }
      case Suspended:
        return this.coroutines.close(run, by)
      case Assigned: {
        if (run.isLease) return
        // A body that is being closed is not taken back, but can be stopped meanwhile.
        const isClosing = run.details?.coroutine?.closing === true
        if (!isClosing && run.thread!.revoke(run)) {
          if (run.isOpen) {
            this.dispatcher.withdraw(run.thread!, run)
            return this.coroutines.close(run, by)
          }
          run.stop = by
          this.outcomes.settleWith(run, cancelledInQueue(run))
        } else if (controlBlock.isClaimed(run.thread!.control, run.sequence)) {
          this.ladder.climb(run, by)
        } else if (run.details?.coroutine !== undefined) {
          // It has yielded or ended, and its message is on the way.
          run.stop ??= by
        }
      }
    }
  }

  // ---------------------------------------------------------------------------
  // Threads
  // ---------------------------------------------------------------------------

  private onReady(thread: PoolThread, preloadFailures: ReadonlyArray<protocol.PreloadFailure>): void {
    this.losses.onThread()
    for (const { cause, module } of preloadFailures) {
      this.onEvent({ _tag: "PreloadFailed", module, cause: decode(cause, []) })
    }
    this.free(thread)
    this.recycling?.onReady(thread)
    this.pump()
    this.prewarmed.onReady(preloadFailures)
    this.updateKeepAlive()
  }

  // ---------------------------------------------------------------------------
  // The pool
  // ---------------------------------------------------------------------------

  /** Asks for `count` ready threads and calls back, once, with the outcome. */
  prewarm(count: number, onReady: (failed: PrewarmFailure | undefined) => void): () => void {
    if (this.shutdown !== undefined) {
      onReady({ _tag: "ShutDown" })
      return () => {}
    }
    const cancel = this.prewarmed.request(
      Math.min(count, this.options.maxThreads),
      (failed) => this.outcomes.call("prewarm", onReady, failed)
    )
    this.start()
    this.prewarmed.check()
    this.updateKeepAlive()
    return () => {
      cancel()
      this.updateKeepAlive()
    }
  }

  /** Refuses new tasks, ends the old ones, and calls back when every thread has ended or was abandoned (D4). */
  close(onClosed: (report: ShutdownReport) => void): void {
    this.onClosed = onClosed
    if (this.shutdown === undefined) this.beginShutdown()
    else if (this.shutdown.done) onClosed(this.shutdown.report)
  }

  /**
   * Ends the pool without `shutdownMillis`, although its scope may not be closing yet: a
   * program that got a second signal to end must not wait for a task in an uninterruptible
   * region. `close` still comes, and finds the shutdown under way or done.
   */
  private forceShutdown(): void {
    if (this.shutdown === undefined) this.beginShutdown()
    this.shutdown!.forceShutdown(this.host, this.options)
  }

  private beginShutdown(): void {
    const shutdown = this.shutdown = new Shutdown(this.queue, this.threads, {
      onCancel: (run) => this.outcomes.settleWith(run, cancelledInQueue(run)),
      onStop: (run) => this.stop(run, "Shutdown"),
      onClosed: (report) => {
        this.forgetForceShutdown?.()
        this.monitor.stop()
        this.updateKeepAlive()
        this.host.close?.()
        if (this.onClosed !== undefined) this.outcomes.call("shutdown", this.onClosed, report)
      }
    })
    this.updateKeepAlive()
    this.losses.failAll(this.waiting.toArray(), () => new ShutDown())
    shutdown.begin(this.host, this.options)
    this.prewarmed.check({ _tag: "ShutDown" })
    this.pump()
    shutdown.check()
  }

  /** Work keeps the process alive; idle threads and their timers do not (P2). */
  private updateKeepAlive(): void {
    const active = !this.outcomes.isIdle || this.prewarmed.isWaiting ||
      (this.shutdown !== undefined && !this.shutdown.done)
    if (active === this.keptAlive) return
    this.keptAlive = active
    this.host.keepAlive(active)
  }
}

const heldUp =
  "streams are open on the thread of its lease, and it could wait for them there: end them first, or use another lease"
