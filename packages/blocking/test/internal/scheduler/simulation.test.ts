/**
 * The scheduler against random schedules: submissions, stops, claims, ends, calls from bodies
 * to the program and tasks run for their answers, crashes, refused starts, time and shutdown in
 * any order. In every order, no task is lost,
 * none runs twice, each has one outcome, and the bounds hold. Bodies get the passed arguments,
 * callers the bodies' results, and the memory of both is free again in the end.
 *
 * A failure prints its seed; `SIMULATION_SEED=<seed> npm test` runs that schedule alone.
 * `SIMULATION_SCHEDULES` sets how many are run (6000 by default, 1 with a seed), from that seed on.
 */
import { assert, describe, it } from "@effect/vitest"
import { Cause, Exit } from "effect"
import { Callback, JoinError, Task } from "effect-blocking"
import type { Call } from "../../../src/internal/scheduler/calls.ts"
import { Coroutine } from "../../../src/internal/scheduler/coroutine.ts"
import type { PoolThread } from "../../../src/internal/scheduler/poolThread.ts"
import type { PrewarmFailure } from "../../../src/internal/scheduler/prewarm.ts"
import {
  AnyThread,
  Assigned,
  Done,
  Queued,
  type Run,
  RunDetails,
  type RunExit,
  RunList,
  type StopBy,
  Suspended
} from "../../../src/internal/scheduler/run.ts"
import { Scheduler } from "../../../src/internal/scheduler/scheduler.ts"
import type { ShutdownReport } from "../../../src/internal/scheduler/shutdown.ts"
import { pseudoTask, resolve, resolveStream } from "../../../src/internal/task/resolved.ts"
import * as controlBlock from "../../../src/internal/wire/controlBlock.ts"
import * as protocol from "../../../src/internal/wire/protocol.ts"
import { payloadPlatform } from "../../utils/payloadPlatform.ts"
import { SimulatedHost, type SimulatedThread } from "../../utils/simulatedHost.ts"
import { SimulatedValues, spoil } from "../../utils/simulatedValues.ts"

const base = Task.make(import.meta.url, "base", (n: number) => n)
const variants = [
  base,
  base,
  base,
  Task.make(import.meta.url, "other", (n: number) => n),
  Task.with(base, { timeLimit: 20 }),
  Task.with(base, { queueTimeLimit: 10 }),
  Task.with(base, { onInterrupt: "wait" }),
  Task.with(base, { onInterrupt: "abandon" }),
  Task.with(base, { mandatory: true }),
  Task.with(base, { gracePeriod: 3 })
].map((task) => resolve(task))

const stream = Task.stream(import.meta.url, "stream", function*(n: number): Generator<number, void> {
  yield n
})
const streams = [
  stream,
  stream,
  Task.with(stream, { timeLimit: 20 }),
  Task.with(stream, { queueTimeLimit: 10 }),
  Task.with(stream, { idleTimeLimit: 15 }),
  Task.with(stream, { onInterrupt: "wait" }),
  Task.with(stream, { onInterrupt: "abandon" }),
  Task.with(stream, { gracePeriod: 3 })
].map((task) => resolveStream(task))

class Program extends Callback.Service<Program>()("simulation/Program", Callback.fn<[], number>()) {}

const calling = Task.make(import.meta.url, "calling", (n: number) => n, { callbacks: [Program] })
const callers = [
  calling,
  calling,
  Task.with(calling, { timeLimit: 20 }),
  Task.with(calling, { queueTimeLimit: 10 }),
  Task.with(calling, { onInterrupt: "abandon" }),
  Task.with(calling, { gracePeriod: 3 })
].map((task) => resolve(task))

const asking = Task.stream(import.meta.url, "asking", function*(n: number): Generator<number, void> {
  yield n
}, { callbacks: [Program] })
const askers = [
  asking,
  asking,
  Task.with(asking, { timeLimit: 20 }),
  Task.with(asking, { idleTimeLimit: 15 }),
  Task.with(asking, { onInterrupt: "abandon" })
].map((task) => resolveStream(task))

/** mulberry32: small, and the same everywhere. */
const random = (seed: number) => {
  let state = seed
  const next = (): number => {
    state = state + 0x6d2b79f5 | 0
    let t = Math.imul(state ^ state >>> 15, 1 | state)
    t = t + Math.imul(t ^ t >>> 7, 61 | t) ^ t
    return ((t ^ t >>> 14) >>> 0) / 4294967296
  }
  return {
    below: (n: number): number => Math.floor(next() * n),
    chance: (p: number): boolean => next() < p,
    pick: <A>(values: ReadonlyArray<A>): A => values[Math.floor(next() * values.length)]!
  }
}

interface Submission {
  readonly n: number
  run: Run | undefined
  exits: Array<RunExit>
}

const reasonOf = (exit: RunExit): JoinError.JoinErrorReason | undefined => {
  const error = Exit.isSuccess(exit) ? undefined : Cause.squash(exit.cause)
  return JoinError.isJoinError(error) ? error.reason : undefined
}

/** Millions of these are checked: an assertion of a library would take a third of the time. */
const holds = (condition: boolean, otherwise: string | undefined): void => {
  if (!condition) assert.fail(otherwise)
}

const simulate = (seed: number): void => {
  const { below, chance, pick } = random(seed)
  // Some hosts share no memory for values.
  const host = new SimulatedHost(chance(0.8) ? payloadPlatform : undefined)
  const values = new SimulatedValues(seed, pick(["tiny", "tiny", "long", "any"]))
  const maxThreads = 1 + below(3)
  const queueCapacity = pick([0, 1, 5, 1000])
  const recycle = pick([undefined, undefined, { tasks: 3, heapBytes: Infinity, ageMillis: pick([20, Infinity]) }])
  const scheduler = new Scheduler(host, {
    minThreads: below(2),
    maxThreads,
    keepAliveMillis: pick([1, 50, Infinity]),
    queueCapacity,
    onFull: pick(["suspend", "suspend", "fail"] as const),
    shutdownMillis: 30,
    graceMillis: 10,
    terminateMillis: 5,
    resourceLimits: {},
    threadData: undefined,
    preload: [],
    recycle
  }, () => {})

  /** Whether there are streams among the tasks. */
  const opens = chance(0.7)
  /** Whether bodies call the program. */
  const calls = chance(0.5)
  const submissions: Array<Submission> = []
  /** Bodies that were entered. */
  const entered = new Set<number>()
  /** Bodies that ended with a result. */
  const kept = new Set<number>()
  const inBody = new Set<SimulatedThread>()
  const ended = new Set<SimulatedThread>()
  /** Threads that have not ended: a terminated one can be slow to die. */
  const alive = (): Array<SimulatedThread> => host.threads.filter((thread) => !ended.has(thread))
  const ready = new Set<SimulatedThread>()

  /** Adds a submission, and returns the callback for its end. */
  const add = (): readonly [Submission, (exit: RunExit) => void] => {
    const submission: Submission = { n: submissions.length, run: undefined, exits: [] }
    submissions.push(submission)
    return [submission, (exit) => {
      submission.exits.push(exit)
      holds(submission.exits.length === 1, "a second outcome")
      // A resumed fiber runs at once, and can call back in.
      if (chance(0.1) && submissions.length < 150) submit()
      if (chance(0.05)) stopOne()
    }]
  }

  /** Some arguments fit in the control block, some in a chunk, some are posted, some cannot cross. The caller changes its own afterwards. */
  const withArguments = <A>(n: number, call: (args: Array<unknown>) => A): A => {
    const args = chance(0.03) ? [n, () => {}] : [n, values.argument(n)]
    const called = call(args)
    spoil(args[1])
    return called
  }

  /** Runs that were asked to end: their consumers no longer pull. */
  const asked = new Set<Run>()
  const stop = (run: Run, by: StopBy): void => {
    asked.add(run)
    scheduler.stop(run, by)
  }

  const submit = (): void => {
    const [submission, onEnd] = add()
    submission.run = withArguments(submission.n, (args) => scheduler.submit(pick(variants), args, onEnd))
  }

  /** Calls that the program has not answered. */
  const unanswered: Array<Call> = []

  /** Details of a run that calls the program, which may run tasks of this pool to answer, `depth` levels deep. */
  const callingDetails = (depth: number): RunDetails => {
    const details = new RunDetails()
    details.calls = {
      onCall: (call, run) => {
        holds(run.state !== Done && run.stop === undefined, "the program is called for a run that was stopped")
        if (chance(0.3)) return call.answer(protocol.Succeeded, depth)
        if (depth === 3 || chance(0.4)) return void unanswered.push(call)
        submitCaller(depth + 1, () => call.answer(protocol.Succeeded, depth))
      },
      onStop: () => {}
    }
    return details
  }

  /** Submits a task or a stream that may call the program. */
  const submitCaller = (depth: number, then: () => void = () => {}): void => {
    const nested = callingDetails(depth)
    nested.nested = depth > 0
    if (opens && chance(0.3)) return open(nested, askers, then)
    const [submission, onEnd] = add()
    const ended = (exit: RunExit): void => {
      onEnd(exit)
      then()
    }
    const task = depth > 0 && chance(0.3) ? pick(variants) : pick(callers)
    submission.run = withArguments(submission.n, (args) => scheduler.submit(task, args, ended, nested))
  }

  const answerOne = (): void => unanswered.splice(below(unanswered.length), 1)[0]?.answer(protocol.Succeeded, 0)

  /** By the number of a stream: how many of its elements have arrived. */
  const arrived = new Map<number, number>()

  /** Submits a stream. Its consumer pulls at once, later, or never again, and closes it at any time. */
  const open = (details = new RunDetails(), tasks = streams, then: () => void = () => {}): void => {
    const [submission, onEnd] = add()
    const { n } = submission
    arrived.set(n, 0)
    const onElements = (elements: Array<unknown>): void => {
      for (const element of elements) {
        const next = arrived.get(n)!
        holds(element === next, `stream ${n} has lost or doubled an element: ${String(element)} for ${next}`)
        arrived.set(n, next + 1)
      }
      const { run } = submission
      if (run === undefined || asked.has(run)) return
      if (chance(0.3)) scheduler.coroutines.resume(run)
      if (chance(0.5)) scheduler.coroutines.letGoOn(run)
      if (chance(0.1)) stop(run, "Close")
    }
    const onClosed = (exit: RunExit, run: Run): void => {
      if (reasonOf(exit)?._tag === "WorkerExited") {
        holds(run.thread?.state !== "Ready", "a stream is lost, its thread is not")
      }
      // Instead of a result.
      onEnd(Exit.isSuccess(exit) ? Exit.succeed(n) : exit)
      then()
    }
    details.coroutine = new Coroutine(onElements)
    submission.run = withArguments(n, (args) => scheduler.submit(pick(tasks), args, onClosed, details))
  }

  /** Pulls from a stream that is open, or closes it. */
  const pull = (): void => {
    const opened = submissions.flatMap(({ run }) => run?.state === Suspended && !asked.has(run) ? [run] : [])
    if (opened.length === 0) return
    const run = pick(opened)
    if (chance(0.8)) scheduler.coroutines.resume(run)
    else stop(run, pick(["Close", "Interrupt", "Abort"] as const))
  }

  /** Calls on a leased thread, which do not wait in the queue. */
  const leased = new Set<number>()

  /** Holds a thread for some calls, and gives it back when the last has ended. */
  const lease = (): void => {
    const calls = new RunList()
    let left = below(4)
    let lost = false
    const [submission, onEnd] = add()
    const begin = (holder: Run, thread: PoolThread): void => {
      assert.isUndefined(thread.lease, "a thread with two holders")
      const release = (): void => {
        for (const run of calls.toArray()) {
          calls.remove(run)
          scheduler.fail(run, () => new JoinError.ShutDown())
        }
        scheduler.release(holder)
      }
      thread.lease = {
        nested: false,
        onFree: () => {
          const run = calls.shift()
          if (run !== undefined) scheduler.submitTo(thread, run, calls)
        },
        hasWaiting: () => calls.size > 0,
        onClosing: (cancel) => {
          for (const run of calls.toArray()) if (!run.task.mandatory) cancel(run)
        },
        onLost: () => {
          lost = true
          release()
        }
      }
      const count = left
      if (count === 0) release()
      for (let i = 0; i < count; i++) {
        const [call, onCallEnd] = add()
        leased.add(call.n)
        const ended = (exit: RunExit): void => {
          left--
          onCallEnd(exit)
          if (left === 0 && !lost) release()
        }
        call.run = withArguments(call.n, (args) => scheduler.makeLeasedRun(pick(variants), args, ended))
        if (call.run === undefined) call.run = holder
        else if (lost) scheduler.fail(call.run, () => new JoinError.ShutDown())
        else scheduler.submitTo(thread, call.run, calls)
      }
    }
    let granted: PoolThread | undefined
    const holder = submission.run = scheduler.requestLease(pseudoTask("lease"), (thread) => {
      granted = thread
      if (submission.run !== undefined) begin(submission.run, thread)
    }, onEnd)
    if (granted !== undefined) begin(holder, granted)
  }

  interface Prewarm {
    readonly count: number
    readonly outcomes: Array<PrewarmFailure | undefined>
    cancelled: boolean
  }
  const prewarms: Array<Prewarm> = []
  const prewarm = (): void => {
    const asked: Prewarm = { count: Math.min(below(4), maxThreads), outcomes: [], cancelled: false }
    prewarms.push(asked)
    const cancel = scheduler.prewarm(asked.count, (failed) => asked.outcomes.push(failed))
    if (chance(0.2)) {
      asked.cancelled = true
      cancel()
    }
  }

  const stopOne = (): void => {
    const submission = submissions[below(submissions.length)]
    if (submission?.run !== undefined) stop(submission.run, pick(["Abort", "Interrupt"] as const))
  }

  const die = (thread: SimulatedThread, code: number): void => {
    ended.add(thread)
    inBody.delete(thread)
    thread.exit(code)
  }

  const isStuck = ({ ordinal }: SimulatedThread): boolean =>
    Array.from(scheduler.threads.stuck).some((thread) => thread.ordinal === ordinal)

  /** No thread dies by itself any more: from here on, threads end only on request. */
  let calm = false

  /** Whether the thread's current body may call the program. */
  const mayCall = (thread: SimulatedThread): boolean => calls && submissions[thread.task]!.run!.task.mayWait

  /** One step of a body that can be left. */
  const advance = (thread: SimulatedThread): void => {
    const count = below(4)
    const onItsWay = chance(0.3)
    if (thread.isClosing && chance(0.8)) thread.end(count, protocol.Stopped, undefined, onItsWay)
    else if (mayCall(thread) && chance(0.3) && !thread.isClosing) thread.leave(count, false, onItsWay, true)
    else if (chance(0.75) && !thread.isClosing) thread.leave(count + 1, chance(0.05), onItsWay)
    else if (chance(0.7)) thread.end(count, protocol.Succeeded, undefined, onItsWay)
    else thread.end(count, protocol.Panicked, "thrown", onItsWay)
  }

  /** One step of a thread. */
  const work = (thread: SimulatedThread): void => {
    if (!ready.has(thread)) {
      if (chance(0.1)) return die(thread, 1)
      ready.add(thread)
      return thread.ready()
    }
    if (thread.undelivered && chance(0.5)) return thread.notify()
    if (inBody.has(thread)) {
      if (!calm && chance(0.03)) return die(thread, 3)
      if (thread.waitsFor !== 0) {
        if (thread.terminated && !isStuck(thread)) die(thread, 1)
        return
      }
      if (mayCall(thread) && chance(0.4)) return thread.call()
      if (arrived.has(thread.task) && chance(0.3)) return thread.send(1 + below(4), chance(0.8))
      inBody.delete(thread)
      if (thread.resumed !== undefined || arrived.has(thread.task)) return advance(thread)
      const end = below(10)
      const n = thread.task
      if (end < 9 && !thread.isStopRequested) kept.add(n)
      if (end === 9) thread.post(protocol.Panicked, "thrown")
      else if (end >= 7 && thread.isStopRequested) thread.post(protocol.Stopped)
      else {
        const result = values.result(n)
        if (end < 7) thread.finish(result, chance(0.3))
        else thread.post(protocol.Succeeded, result, chance(0.3))
        // The body has kept it.
        spoil(result)
      }
      return
    }
    const [first] = thread.inbox
    if (first !== undefined) {
      if (first.state === "offered" && chance(0.3)) return void thread.claim()
      if (first.state === "claimed") {
        // A stuck thread is in native code, not about to read.
        if (isStuck(thread)) return die(thread, 1)
        thread.read()
        return
      }
      const n = thread.task
      const isResumed = thread.resumed !== undefined
      if (!thread.enter()) return
      if (!isResumed) {
        holds(values.isArgument(n, first.args[1]), "a body got other arguments than the passed ones")
        if (thread.isStopRequested) return thread.post(protocol.Stopped)
        holds(!entered.has(n), "a body ran twice")
      }
      entered.add(n)
      inBody.add(thread)
      return
    }
    if (thread.terminated) return die(thread, 1)
    if (thread.retired) return chance(0.3) ? thread.release() : die(thread, 0)
    if (!calm && chance(0.01)) die(thread, 7)
  }

  // S2: a task that is sent for the first time was submitted after all that were sent before. In
  // one step several threads can be dispatched to in turn, each of them in order.
  const sent = new Set<number>()
  /** If bodies can wait in their threads, only tasks that every thread can take keep their order. */
  const isOrdered = (n: number): boolean =>
    !leased.has(n) && (!calls || submissions[n]!.run === undefined || submissions[n]!.run.needs === AnyThread)
  let lastSent = -1
  let newlySent: Array<number> = []
  /** Recorded where an exception would be taken for one of the host's. */
  let violation: string | undefined
  host.onBatch = (batch) => {
    const fresh = (batch as ReadonlyArray<number>).filter((n) => !sent.has(n) && isOrdered(n))
    // A task that was taken back from a thread was submitted before, and goes first.
    const last = Math.max(...fresh)
    // But a lease waits for a thread without open streams, and delays no task meanwhile.
    const waits = submissions.find(({ n, run }) => n < last && run?.state === Queued && !run.isLease && isOrdered(n))
    if (waits !== undefined) violation ??= `task ${last} overtook ${waits.n}, which was taken back`
    fresh.forEach((n, i) => {
      if (i > 0 && fresh[i - 1]! > n) violation ??= "a batch is out of order"
      sent.add(n)
    })
    newlySent.push(...fresh)
  }

  const check = (): void => {
    holds(violation === undefined, violation)
    holds(host.violation === undefined, host.violation)
    if (newlySent.length > 0) {
      holds(Math.min(...newlySent) > lastSent, "a task overtook another")
      lastSent = Math.max(...newlySent)
      newlySent = []
    }
    // One can be the replacement of another; those that retire slowly hold no place.
    holds(scheduler.threads.placesTaken <= maxThreads + (recycle === undefined ? 0 : 1), "too many threads")
    // Those that lend their places included, there are at most twice as many.
    holds(scheduler.threads.all.size <= 2 * maxThreads + (recycle === undefined ? 0 : 1), "too many threads that wait")
    // Tasks taken back from threads were accepted before.
    holds(scheduler.queueDepth <= queueCapacity + maxThreads + controlBlock.capacity * maxThreads, "a queue too long")
    if (scheduler.payloads !== undefined) {
      let needed = 0
      for (const { run } of submissions) if (typeof run!.args === "number") needed++
      holds(scheduler.payloads.live === needed, "memory of arguments is kept too long, or freed too early")
      for (const { assigned, control, ordinal } of scheduler.threads.all) {
        if (host.threads[ordinal - 1]!.inbox[0]?.state !== "claimed") continue
        const run = assigned.find(({ sequence }) => controlBlock.isClaimed(control, sequence))
        const isKept = run === undefined || controlBlock.chunkOf(control, run.sequence) < 0 ||
          typeof run.args === "number"
        holds(isKept, "memory of arguments is free while a thread reads them")
      }
    }
  }

  /** The scheduler has read all results of idle threads, and keeps no memory for them. */
  const checkIdle = (): void => {
    const threads = Array.from(scheduler.threads.all)
    for (const { assigned, ordinal, state } of threads) {
      if (state !== "Ready" || assigned.length > 0) continue
      holds(host.threads[ordinal - 1]!.unreadBytes === 0, "the ring of results is not read")
    }
    if (threads.every(({ assigned }) => assigned.length === 0)) {
      holds((scheduler.payloads?.live ?? 0) === 0, "memory of arguments has leaked")
    }
  }

  const steps = 20 + below(80)
  for (let step = 0; step < steps; step++) {
    const threads = alive()
    switch (below(10)) {
      case 0:
      case 1: {
        for (let i = pick([1, 1, 3, 40]); i > 0; i--) submit()
        if (opens) { for (let i = pick([0, 1, 1, 5]); i > 0; i--) open() }
        if (calls) { for (let i = pick([0, 1, 1, 5]); i > 0; i--) submitCaller(0) }
        if (chance(0.1)) lease()
        if (chance(0.1)) prewarm()
        break
      }
      case 2:
        stopOne()
        break
      case 3: {
        const millis = pick([0.5, 1, 2, 25])
        host.advance(millis)
        // S2: by the next tick of the monitor, tasks behind a long one have been moved to a free thread.
        if (scheduler.threads.idleCount > 0 && millis >= 1) {
          for (const thread of scheduler.threads.all) {
            const { running } = thread
            if (thread.state !== "Ready" || running === undefined) continue
            const since = controlBlock.startedAt(thread.control, running.sequence)
            if (since === undefined || host.time - since < 3) continue
            const behind = thread.assigned.slice(thread.assigned.indexOf(running) + 1)
            assert.isFalse(
              behind.some((run) => run.state === Assigned && !run.isOpen && (!calls || run.needs === AnyThread)),
              "a task waits although a thread is idle"
            )
          }
        }
        break
      }
      case 4:
        host.refusal = chance(0.3) ? new Error("EAGAIN") : undefined
        // The event loop is blocked: time passes without a turn.
        host.time += pick([0, 0, 2, 10])
        break
      default: {
        for (let i = 1 + below(5); i > 0 && threads.length > 0; i--) {
          const thread = pick(threads)
          if (!ended.has(thread)) work(thread)
        }
      }
    }
    if (chance(0.5)) pull()
    if (chance(0.5)) answerOne()
    check()
  }

  host.refusal = undefined
  const goOn = (millis: number): void => {
    for (const thread of alive()) work(thread)
    host.advance(millis)
    check()
  }
  // Some pools are closed in the middle of all this, the others drain first.
  if (chance(0.5)) {
    // Long enough for the longest pause after a failed start.
    calm = true
    for (let i = 0; i < 10_000 && !scheduler.outcomes.isIdle; i++) {
      pull()
      answerOne()
      goOn(i < 200 ? 0.5 : 5)
    }
    assert.isTrue(scheduler.outcomes.isIdle, "tasks are left although the threads work")
    checkIdle()
    assert.strictEqual(scheduler.coroutines.open, 0, "bodies are counted as open")
    for (const thread of alive()) {
      if (!thread.terminated) assert.strictEqual(thread.open.size, 0, "a body was left open in its thread")
    }
    for (const { cancelled, count, outcomes } of prewarms) {
      const calledBack = outcomes.length > 0 || cancelled
      assert.isTrue(
        calledBack || scheduler.threads.readyCount < count,
        "threads are ready, and a prewarm is not called back"
      )
    }
  }
  calm = false
  // Some are forced before or during the shutdown.
  let forcedAt = Infinity
  const forceShutdown = (): void => {
    if (host.forceShutdown === undefined) return
    forcedAt = Math.min(forcedAt, host.time)
    host.forceShutdown()
  }
  const forces = chance(0.3)
  if (forces && chance(0.5)) {
    forceShutdown()
    for (let i = below(20); i > 0; i--) goOn(0.5)
  }
  const reports: Array<ShutdownReport> = []
  scheduler.close((report) => reports.push(report))
  const closedAt = host.time
  for (let i = 0; i < 1000 && reports.length === 0; i++) {
    if (forces && chance(0.1)) forceShutdown()
    goOn(0.5)
  }
  assert.strictEqual(reports.length, 1, "the shutdown did not end")
  assert.isAtMost(
    host.time,
    Math.min(closedAt + 45, Math.max(forcedAt + 15, closedAt)) + 0.5,
    `the shutdown is late: closed ${closedAt}, forced ${forcedAt}`
  )

  for (const { cancelled, outcomes } of prewarms) {
    assert.isTrue(outcomes.length === 1 || (cancelled && outcomes.length === 0), "a prewarm has no outcome, or two")
  }
  for (const { exits, n, run } of submissions) {
    holds(run!.state === Done, "a run has not ended")
    holds(exits.length === 1, "a submission has no outcome")
    if (Exit.isSuccess(exits[0]!)) {
      if (run!.isLease) continue
      const { value } = exits[0]
      holds(arrived.has(n) ? value === n : values.isResult(n, value), "a caller got another result than its body's")
      if (host.ended.has(n)) holds(arrived.get(n) === host.ended.get(n), "elements were lost")
      holds(entered.has(n), "a result without a body")
    } else if (reasonOf(exits[0]!) !== undefined) {
      const reason = reasonOf(exits[0]!)!
      holds(reason._tag !== "Cancelled" || run!.stop !== undefined, "a stop was for another task")
      const never = reason._tag === "Cancelled" && reason.stage === "Queued"
      holds(!(never && entered.has(n)), "a body ran that was cancelled in the queue")
      // Messages of an abandoned thread, which has no exit code, may never arrive.
      const exited = reason._tag === "WorkerExited" && reason.exitCode !== undefined
      const lost = exited || reason._tag === "LoadFailed"
      holds(!(lost && kept.has(n)), "a result was lost with its thread")
    }
  }
  assert.isFalse(host.alive)
  const outcomes = Object.values(scheduler.outcomes.counts).reduce((a, b) => a + b, 0)
  assert.strictEqual(outcomes, submissions.length)
  for (const thread of alive()) die(thread, 1)
  assert.strictEqual(scheduler.threads.all.size + scheduler.threads.stuck.size, 0)
  assert.strictEqual(scheduler.payloads?.live ?? 0, 0, "memory of arguments has leaked")
  assert.strictEqual(host.pendingTimers, 0, "timers are left")
}

describe("simulation", () => {
  const replayed = process.env["SIMULATION_SEED"]
  const first = replayed === undefined ? 1 : Number(replayed)
  const schedules = Number(process.env["SIMULATION_SCHEDULES"] ?? (replayed === undefined ? 6000 : 1))

  it(
    `F5, S4: ${schedules} random schedules lose no task and no value, run none twice, and end`,
    { timeout: 300_000 },
    () => {
      for (let seed = first; seed < first + schedules; seed++) {
        try {
          simulate(seed)
        } catch (error) {
          throw new Error(`Schedule ${seed} failed; replay it with SIMULATION_SEED=${seed}`, { cause: error })
        }
      }
    }
  )
})
