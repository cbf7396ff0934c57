import { assert, describe, it } from "@effect/vitest"
import { Exit, Option } from "effect"
import { type JoinError, Task } from "effect-blocking"
import type { SchedulerEvent } from "../../../src/internal/scheduler/events.ts"
import type { PoolThread } from "../../../src/internal/scheduler/poolThread.ts"
import { type RunExit, RunList } from "../../../src/internal/scheduler/run.ts"
import { Scheduler, type SchedulerOptions } from "../../../src/internal/scheduler/scheduler.ts"
import type { ShutdownReport } from "../../../src/internal/scheduler/shutdown.ts"
import { resolve } from "../../../src/internal/task/resolved.ts"
import * as protocol from "../../../src/internal/wire/protocol.ts"
import { SimulatedHost } from "../../utils/simulatedHost.ts"

const task = Task.make(import.meta.url, "task", (n: number) => n)

const defaults: SchedulerOptions = {
  minThreads: 0,
  maxThreads: 2,
  keepAliveMillis: 10_000,
  queueCapacity: 100,
  onFull: "suspend",
  shutdownMillis: 1000,
  graceMillis: 100,
  terminateMillis: 50,
  resourceLimits: {},
  threadData: undefined,
  preload: [],
  recycle: undefined
}

const setup = (options?: Partial<SchedulerOptions>) => {
  const host = new SimulatedHost()
  const events: Array<SchedulerEvent> = []
  const scheduler = new Scheduler(host, { ...defaults, ...options }, (event) => events.push(event))
  const submit = (n: number, options: Task.DerivedOptions = {}) => {
    let exit: RunExit | undefined
    const run = scheduler.submit(resolve(Task.with(task, options)), [n], (ended) => {
      exit = ended
    })
    return {
      run,
      get exit() {
        return exit
      }
    }
  }
  return { host, events, scheduler, submit }
}

const reasonOf = ({ exit }: { readonly exit: RunExit | undefined }) => {
  assert.isDefined(exit)
  const error = Option.getOrThrow(Exit.findErrorOption(exit)) as JoinError.JoinError
  return error.reason
}

describe("scheduler", () => {
  it("S2: a freed thread takes the oldest task", () => {
    const { host, submit } = setup({ maxThreads: 1 })
    for (const n of [1, 2, 3]) submit(n)
    const [thread] = host.threads
    thread!.ready()
    const order = []
    while (thread!.inbox.length > 0) {
      order.push(thread!.inbox[0]!.args[0])
      thread!.enter()
      thread!.finish()
    }
    assert.deepStrictEqual(order, [1, 2, 3])
  })

  it("P4: the thread that became idle last gets the next task", () => {
    const { host, submit } = setup()
    submit(1)
    submit(2)
    const [early, late] = host.threads
    for (const thread of host.threads) {
      thread.ready()
      thread.enter()
    }
    late!.finish()
    early!.finish()
    for (let n = 3; n < 6; n++) {
      submit(n)
      assert.deepStrictEqual([early!.inbox.length, late!.inbox.length], [1, 0])
      early!.enter()
      early!.finish()
    }
  })

  it("C1: a task that was sent and not yet claimed is taken back, and the thread stays busy until it has passed it", () => {
    const { host, scheduler, submit } = setup({ maxThreads: 1 })
    const first = submit(1)
    const [thread] = host.threads
    thread!.ready()
    assert.strictEqual(thread!.inbox.length, 1)
    scheduler.stop(first.run, "Abort")
    assert.deepInclude(reasonOf(first), { _tag: "Cancelled", stage: "Queued" })
    const second = submit(2)
    assert.strictEqual(thread!.inbox.length, 1, "the second waits until the thread has skipped the first")
    assert.isFalse(thread!.enter())
    assert.isTrue(thread!.enter())
    thread!.finish(2)
    assert.deepStrictEqual(second.exit, Exit.succeed(2))
  })

  it("C4: what a terminated thread has not claimed goes to the head of the queue, in its order", () => {
    const { host, scheduler, submit } = setup({ maxThreads: 1 })
    const first = submit(1)
    submit(2)
    host.threads[0]!.ready()
    host.threads[0]!.exit(1)
    // It had done nothing yet: it counts as a start that failed.
    host.advance(50)
    host.threads[1]!.ready()
    assert.deepStrictEqual(host.threads[1]!.inbox[0]!.args, [1])
    host.threads[1]!.enter()
    host.threads[1]!.finish(1)
    assert.deepStrictEqual(first.exit, Exit.succeed(1))
    assert.deepStrictEqual(host.threads[1]!.inbox[0]!.args, [2])
    assert.strictEqual(scheduler.outcomes.WorkerExited, 0)
  })

  it("C2: the ladder: the flag at once, the end after gracePeriod, abandoned after terminateTimeout", () => {
    const { events, host, scheduler, submit } = setup({ maxThreads: 1 })
    const run = submit(1)
    const [thread] = host.threads
    thread!.ready()
    thread!.enter()
    scheduler.stop(run.run, "Abort")
    assert.isTrue(thread!.isStopRequested)
    host.advance(99)
    assert.isFalse(thread!.terminated)
    host.advance(1)
    assert.isTrue(thread!.terminated)
    assert.isUndefined(run.exit)
    submit(2)
    assert.strictEqual(host.threads.length, 1, "a thread that is being terminated holds its place")
    host.advance(50)
    assert.deepInclude(reasonOf(run), { _tag: "Cancelled", by: "Abort", stopped: "Abandoned" })
    assert.strictEqual(host.threads.length, 2, "an abandoned one does not")
    const told = { threadId: 1, task: "task" }
    assert.deepStrictEqual(events, [
      { _tag: "Stop", step: "Requested", by: "Abort", ...told },
      { _tag: "Stop", step: "Terminated", by: "Abort", ...told },
      { _tag: "ThreadAbandoned", ...told }
    ])
    thread!.exit(1)
    assert.strictEqual(scheduler.threads.stuck.size, 0)
  })

  it("C2: a body that ends in its grace period saves its thread", () => {
    const { host, scheduler, submit } = setup({ maxThreads: 1 })
    const run = submit(1)
    const [thread] = host.threads
    thread!.ready()
    thread!.enter()
    scheduler.stop(run.run, "Abort")
    host.advance(99)
    thread!.post(protocol.Stopped)
    host.advance(1000)
    assert.deepInclude(reasonOf(run), { _tag: "Cancelled", stopped: "Checkpoint" })
    assert.isFalse(thread!.terminated)
  })

  it("C2: timeLimit counts from the entry of the body", () => {
    const { host, submit } = setup({ maxThreads: 1 })
    const run = submit(1, { timeLimit: 100 })
    const [thread] = host.threads
    host.advance(500)
    thread!.ready()
    host.advance(500)
    thread!.enter()
    host.advance(99)
    assert.isFalse(thread!.isStopRequested)
    host.advance(1)
    assert.isTrue(thread!.isStopRequested)
    thread!.finish(1)
    assert.deepInclude(reasonOf(run), { _tag: "TimedOut", limitMillis: 100, stopped: "Checkpoint" })
  })

  it("a call on a leased thread that is slow to answer is waited for, not taken back", () => {
    const { host, scheduler } = setup({ maxThreads: 2 })
    let leased: PoolThread | undefined
    const holder = scheduler.requestLease(resolve(task), (thread) => {
      leased = thread
      thread.lease = { onFree: () => {}, onClosing: () => {}, onLost: () => {} }
    }, () => {})
    host.threads[0]!.ready()
    let exit: RunExit | undefined
    const run = scheduler.makeLeasedRun(resolve(task), [1], (_) => {
      exit = _
    })
    scheduler.submitTo(leased!, run!, new RunList())
    host.advance(1000)
    assert.isUndefined(exit)
    assert.isTrue(host.threads[0]!.enter())
    host.threads[0]!.finish(1)
    assert.deepStrictEqual(exit, Exit.succeed(1))
    scheduler.release(holder)
  })

  it("F1: a task that has lost two threads before they claimed it is failed, and the others go on", () => {
    const { host, submit } = setup({ maxThreads: 1 })
    const first = submit(1)
    host.threads[0]!.ready()
    host.threads[0]!.exit(1)
    host.advance(50)
    host.threads[1]!.ready()
    host.threads[1]!.exit(1)
    assert.deepInclude(reasonOf(first), { _tag: "WorkerExited", exitCode: 1 })
    const second = submit(2)
    host.advance(1000)
    host.threads[2]!.ready()
    host.threads[2]!.enter()
    host.threads[2]!.finish(2)
    assert.deepStrictEqual(second.exit, Exit.succeed(2))
  })

  it("a thread that claims nothing for long is terminated, and its task runs elsewhere", () => {
    const { events, host, submit } = setup({ maxThreads: 1 })
    const run = submit(1)
    host.threads[0]!.ready()
    host.advance(6000)
    assert.isTrue(host.threads[0]!.terminated)
    assert.deepInclude(events[0], { _tag: "ThreadWedged" })
    host.threads[0]!.exit(1)
    host.threads[1]!.ready()
    host.threads[1]!.enter()
    host.threads[1]!.finish(1)
    assert.deepStrictEqual(run.exit, Exit.succeed(1))
  })

  it("F3: a module that does not finish loading fails its task after a while, and ends its thread", () => {
    const { events, host, scheduler, submit } = setup({ maxThreads: 1 })
    const run = submit(1)
    host.threads[0]!.ready()
    const behind = submit(2)
    assert.isTrue(host.threads[0]!.claim())
    host.advance(29_000)
    assert.isUndefined(run.exit, "it loads")
    host.advance(2000)
    const reason = reasonOf(run)
    assert(reason._tag === "LoadFailed")
    assert.include(String(reason.cause), "has been loading for 30000 ms")
    assert.isTrue(host.threads[0]!.terminated)
    assert.deepInclude(events[0], { _tag: "ThreadWedged" })
    assert.deepInclude(scheduler.stops, { Requested: 0, Terminated: 0 }, "nobody asked it to stop")
    host.threads[0]!.exit(1)
    host.threads[1]!.ready()
    host.threads[1]!.enter()
    host.threads[1]!.finish(2)
    assert.deepStrictEqual(behind.exit, Exit.succeed(2))
  })

  it("C1: what was stopped while its module loads is not counted as running, and what runs although it was stopped is", () => {
    const { host, scheduler, submit } = setup({ maxThreads: 1 })
    const loading = submit(1)
    const [thread] = host.threads
    thread!.ready()
    thread!.claim()
    assert.strictEqual(scheduler.runningCount, 1)
    scheduler.stop(loading.run, "Abort")
    assert.deepInclude(reasonOf(loading), { _tag: "Cancelled", stage: "Queued" })
    assert.strictEqual(scheduler.runningCount, 0)
    thread!.post(protocol.Stopped)

    const abandoned = submit(2, { onInterrupt: "abandon" })
    thread!.enter()
    scheduler.stop(abandoned.run, "Interrupt")
    assert.strictEqual(scheduler.runningCount, 1)
  })

  it("a body that runs for long is not taken for a module that does not load", () => {
    const { host, submit } = setup({ maxThreads: 1 })
    const run = submit(1)
    host.threads[0]!.ready()
    host.threads[0]!.enter()
    host.advance(100_000)
    host.threads[0]!.finish(1)
    assert.deepStrictEqual(run.exit, Exit.succeed(1))
  })

  it("S4: a refused argument settles its own task and leaves the thread idle", () => {
    const { host, scheduler, submit } = setup({ maxThreads: 1 })
    submit(1)
    const [thread] = host.threads
    thread!.ready()
    thread!.enter()
    thread!.finish()
    assert.strictEqual(scheduler.threads.idleCount, 1)
  })

  it("F4: a refused start is retried with back-off while tasks wait, and nothing is lost", () => {
    const { events, host, submit } = setup()
    host.refusal = new Error("EAGAIN")
    const run = submit(1)
    assert.strictEqual(events.length, 1)
    host.advance(50)
    assert.strictEqual(events.length, 2)
    host.refusal = undefined
    host.advance(100)
    assert.strictEqual(host.threads.length, 1)
    host.threads[0]!.ready()
    host.threads[0]!.enter()
    host.threads[0]!.finish(1)
    assert.deepStrictEqual(run.exit, Exit.succeed(1))
  })

  it("F4: after five refused starts in a row the waiting tasks fail with SpawnFailed, and later ones try again", () => {
    const { host, submit } = setup({ queueCapacity: 1 })
    host.refusal = new Error("EAGAIN")
    const runs = [submit(1), submit(2), submit(3), submit(4)]
    host.advance(10_000)
    for (const run of runs) assert.deepInclude(reasonOf(run), { _tag: "SpawnFailed", attempts: 5 })
    assert.isFalse(host.alive)
    host.refusal = undefined
    submit(5)
    assert.strictEqual(host.threads.length, 1)
  })

  it("F4: a thread that ends before it is ready, or is never ready, counts as a refused start", () => {
    const { events, host, submit } = setup({ maxThreads: 1 })
    submit(1)
    host.threads[0]!.exit(9)
    host.advance(50)
    assert.strictEqual(host.threads.length, 2)
    host.advance(30_000)
    assert.isTrue(host.threads[1]!.terminated)
    host.threads[1]!.exit(1)
    host.advance(1000)
    assert.strictEqual(host.threads.length, 3)
    assert.deepStrictEqual(events.map((event) => event._tag), ["StartFailed", "StartFailed"])
  })

  it("P1: surplus threads retire after keepAlive, the one that was idle for longest first", () => {
    const { host, submit } = setup({ minThreads: 1, keepAliveMillis: 100 })
    const [a, b] = [submit(1), submit(2)]
    const [first, second] = host.threads
    for (const thread of [first!, second!]) {
      thread.ready()
      thread.enter()
    }
    first!.finish()
    host.advance(10)
    second!.finish()
    host.advance(89)
    assert.deepStrictEqual([first!.retired, second!.retired], [false, false])
    host.advance(1)
    assert.deepStrictEqual([first!.retired, second!.retired], [true, false])
    first!.exit(0)
    host.advance(10_000)
    assert.isFalse(second!.retired, "minThreads stay")
    assert.isTrue(Exit.isSuccess(a.exit!) && Exit.isSuccess(b.exit!))
  })

  it("P1: a thread that does not end when it retires is terminated, and then abandoned", () => {
    const { host, scheduler, submit } = setup({ keepAliveMillis: 10 })
    submit(1)
    const [thread] = host.threads
    thread!.ready()
    thread!.enter()
    thread!.finish()
    host.advance(10)
    assert.isTrue(thread!.retired)
    host.advance(100)
    assert.isTrue(thread!.terminated)
    host.advance(50)
    assert.strictEqual(scheduler.threads.stuck.size, 1)
  })

  it("P2: only work keeps the process alive", () => {
    const { host, submit } = setup()
    assert.isFalse(host.alive)
    submit(1)
    assert.isTrue(host.alive)
    host.threads[0]!.ready()
    host.threads[0]!.enter()
    host.threads[0]!.finish()
    assert.isFalse(host.alive)
  })

  it("D4: the shutdown is over at shutdownTimeout + gracePeriod + terminateTimeout, whatever the threads do", () => {
    const { host, scheduler, submit } = setup({ maxThreads: 3 })
    const runs = [submit(1), submit(2, { gracePeriod: "1 hour" }), submit(3), submit(4)]
    for (const thread of host.threads.slice(0, 2)) {
      thread.ready()
      thread.enter()
    }
    let report: ShutdownReport | undefined
    scheduler.close((_) => {
      report = _
    })
    assert.deepInclude(reasonOf(runs[2]!), { _tag: "Cancelled", stage: "Queued", by: "Shutdown" })
    assert.isTrue(host.threads[2]!.terminated, "a thread that nobody needs any more")
    host.advance(1000)
    assert.deepStrictEqual(host.threads.slice(0, 2).map((thread) => thread.isStopRequested), [true, true])
    host.advance(100)
    assert.isTrue(host.threads.every((thread) => thread.terminated))
    assert.isUndefined(report)
    host.advance(50)
    assert.deepStrictEqual(report, { cancelled: 2, terminated: [], abandoned: ["task", "task"] })
    assert.deepInclude(reasonOf(runs[0]!), { _tag: "Cancelled", by: "Shutdown", stopped: "Abandoned" })
    assert.isFalse(host.alive)
    assert.strictEqual(host.pendingTimers, 0)
  })

  it("D6: a forced shutdown leaves out what is left of shutdownTimeout, not the ladder", () => {
    const { host, scheduler, submit } = setup({ maxThreads: 2 })
    const runs = [submit(1), submit(2)]
    for (const thread of host.threads) {
      thread.ready()
      thread.enter()
    }
    const reports: Array<ShutdownReport> = []
    scheduler.close((report) => reports.push(report))
    host.advance(10)
    assert.isFalse(host.threads[0]!.isStopRequested)
    host.forceShutdown!()
    assert.isTrue(host.threads[0]!.isStopRequested)
    host.threads[0]!.post(protocol.Stopped)
    assert.deepInclude(reasonOf(runs[0]!), { _tag: "Cancelled", by: "Shutdown", stopped: "Checkpoint" })
    // A second time, in the midst of the ladder: it is climbed no slower for it.
    host.advance(90)
    host.forceShutdown!()
    host.advance(9)
    assert.isFalse(host.threads[1]!.terminated)
    host.advance(1)
    assert.isTrue(host.threads[1]!.terminated)
    host.threads[0]!.exit()
    host.advance(50)
    assert.deepStrictEqual(reports, [{ cancelled: 0, terminated: [], abandoned: ["task"] }])
    assert.deepInclude(reasonOf(runs[1]!), { _tag: "Cancelled", by: "Shutdown", stopped: "Abandoned" })
    assert.isUndefined(host.forceShutdown)
    assert.strictEqual(host.pendingTimers, 0)
  })

  it("D6: a pool that is forced to shut down before its scope closes shuts down, and tells so when the scope does", () => {
    const { host, scheduler, submit } = setup({ maxThreads: 1 })
    const runs = [submit(1, { onInterrupt: "wait" }), submit(2)]
    host.threads[0]!.ready()
    host.threads[0]!.enter()
    host.forceShutdown!()
    assert.deepInclude(reasonOf(runs[1]!), { _tag: "Cancelled", stage: "Queued", by: "Shutdown" })
    assert.strictEqual(reasonOf(submit(3))._tag, "ShutDown")
    host.advance(100)
    host.threads[0]!.exit(1)
    assert.deepInclude(reasonOf(runs[0]!), { _tag: "Cancelled", by: "Shutdown", stopped: "Terminated" })
    const reports: Array<ShutdownReport> = []
    scheduler.close((report) => reports.push(report))
    assert.deepStrictEqual(reports, [{ cancelled: 1, terminated: ["task"], abandoned: [] }])
    assert.isFalse(host.alive)
    assert.strictEqual(host.pendingTimers, 0)
  })

  it("D6: a close while a forced pool shuts down waits for that", () => {
    const { host, scheduler, submit } = setup({ maxThreads: 1 })
    submit(1)
    host.threads[0]!.ready()
    host.threads[0]!.enter()
    host.forceShutdown!()
    const reports: Array<ShutdownReport> = []
    scheduler.close((report) => reports.push(report))
    assert.deepStrictEqual(reports, [])
    host.threads[0]!.post(protocol.Stopped)
    host.threads[0]!.exit()
    assert.deepStrictEqual(reports, [{ cancelled: 0, terminated: [], abandoned: [] }])
  })

  it("D5: a thread may hold the exit unless it is idle or gone", () => {
    const { host, scheduler, submit } = setup({ maxThreads: 1 })
    submit(1)
    const [thread] = host.threads
    assert.isTrue(thread!.mayBlock(), "it loads modules")
    thread!.ready()
    assert.isTrue(thread!.mayBlock(), "it has a task")
    thread!.enter()
    thread!.finish()
    assert.isFalse(thread!.mayBlock())
    const { run } = submit(2)
    thread!.enter()
    scheduler.stop(run, "Abort")
    host.advance(150)
    assert.strictEqual(scheduler.threads.stuck.size, 1)
    assert.isTrue(thread!.mayBlock(), "it was abandoned")
    thread!.exit()
    assert.isFalse(thread!.mayBlock())
  })

  it("D4: the shutdown of an idle pool waits only for its threads to retire", () => {
    const { host, scheduler, submit } = setup()
    submit(1)
    host.threads[0]!.ready()
    host.threads[0]!.enter()
    host.threads[0]!.finish()
    let closed = false
    scheduler.close(() => {
      closed = true
    })
    assert.isTrue(host.threads[0]!.retired)
    host.threads[0]!.exit(0)
    assert.isTrue(closed)
    assert.strictEqual(host.pendingTimers, 0)
  })

  it("the event loop turns while messages keep coming, and none is lost meanwhile", () => {
    const { host, submit } = setup({ maxThreads: 1 })
    const submissions = Array.from({ length: 12 }, (_, n) => submit(n))
    const [thread] = host.threads
    thread!.ready()
    const ended = (): number => submissions.filter(({ exit }) => exit !== undefined).length
    // Each tells of one task, and takes a millisecond: all in one turn.
    const tellOne = (): void => {
      thread!.enter()
      host.time += 1
      thread!.post(protocol.Succeeded, "text")
    }
    while (thread!.inbox.length > 0) tellOne()
    assert.isAtMost(ended(), 6)
    assert.isAtLeast(ended(), 4)
    while (ended() < submissions.length) {
      const before = ended()
      host.turnOver()
      while (thread!.inbox.length > 0) tellOne()
      assert.isAbove(ended(), before)
    }
    assert.deepStrictEqual(submissions.map(({ exit }) => exit), submissions.map(() => Exit.succeed("text")))
  })

  it("queue time limits: one timer for all, in the order of their ends", () => {
    const { host, scheduler, submit } = setup({ maxThreads: 1 })
    submit(0)
    const timers = host.pendingTimers
    const long = submit(1, { queueTimeLimit: 30 })
    const short = submit(2, { queueTimeLimit: 10 })
    host.advance(5)
    const later = submit(3, { queueTimeLimit: 10 })
    const stopped = submit(4, { queueTimeLimit: 10 })
    assert.strictEqual(host.pendingTimers, timers + 1)
    scheduler.stop(stopped.run, "Abort")
    host.advance(5)
    assert.deepInclude(reasonOf(short), { _tag: "QueueTimedOut", limitMillis: 10, queueDepth: 3 })
    assert.isUndefined(later.exit)
    host.advance(5)
    assert.strictEqual(reasonOf(later)._tag, "QueueTimedOut")
    assert.strictEqual(reasonOf(stopped)._tag, "Cancelled")
    assert.isUndefined(long.exit)
    host.advance(14)
    assert.isUndefined(long.exit)
    host.advance(1)
    assert.strictEqual(reasonOf(long)._tag, "QueueTimedOut")
    assert.strictEqual(host.pendingTimers, timers)
  })

  it("a run taken back from a thread keeps its queueTimeLimit", () => {
    const { host, submit } = setup({ maxThreads: 1 })
    const first = submit(0)
    const limited = submit(1, { queueTimeLimit: 60 })
    host.threads[0]!.ready()
    host.threads[0]!.enter()
    host.threads[0]!.finish(0)
    assert.deepStrictEqual(first.exit, Exit.succeed(0))
    // It is on the thread, which dies before it has claimed it.
    host.threads[0]!.exit(1)
    assert.isUndefined(limited.exit)
    host.advance(60)
    assert.strictEqual(reasonOf(limited)._tag, "QueueTimedOut")
  })

  const recycle = { tasks: Infinity, heapBytes: Infinity, ageMillis: Infinity }

  it("recycle: a thread that has run its tasks goes on until its replacement is ready", () => {
    const { host, scheduler, submit } = setup({ maxThreads: 1, recycle: { ...recycle, tasks: 2 } })
    const submissions = [1, 2, 3, 4].map((n) => submit(n))
    const [thread] = host.threads
    thread!.ready()
    for (const n of [1, 2]) {
      thread!.enter()
      thread!.finish(n)
    }
    while (thread!.inbox.length > 0 && host.threads.length < 2) {
      thread!.enter()
      thread!.finish()
    }
    const replacement = host.threads[1]!
    assert.isFalse(thread!.retired)
    const late = submit(5)
    assert.strictEqual(thread!.task, 5, "the due thread takes tasks as long as it is the only one")
    replacement.ready()
    assert.isFalse(thread!.retired, "it ends the task that it has")
    thread!.enter()
    thread!.finish(5)
    assert.deepStrictEqual(late.exit, Exit.succeed(5))
    assert.isTrue(thread!.retired)
    thread!.exit()
    assert.isTrue(submissions.every(({ exit }) => exit !== undefined && Exit.isSuccess(exit)))
    const last = submit(6)
    replacement.enter()
    replacement.finish(6)
    assert.deepStrictEqual(last.exit, Exit.succeed(6))
    assert.strictEqual(scheduler.threads.all.size, 1)
  })

  it("recycle: by age an idle thread is replaced, one after the other, and without a replacement none goes", () => {
    const { host, scheduler } = setup({
      maxThreads: 2,
      minThreads: 2,
      keepAliveMillis: Infinity,
      recycle: { ...recycle, ageMillis: 1000 }
    })
    const [first, second] = host.threads
    first!.ready()
    second!.ready()
    host.refusal = new Error("EAGAIN")
    host.advance(1000)
    assert.strictEqual(scheduler.threads.all.size, 2)
    assert.isFalse(first!.retired || second!.retired)
    host.refusal = undefined
    host.advance(1000)
    assert.strictEqual(host.threads.length, 3)
    host.threads[2]!.ready()
    assert.strictEqual([first, second].filter((thread) => thread!.retired).length, 1)
  })

  it("stuck threads are replaced up to maxThreads; with none left, tasks fail until one has ended", () => {
    const { events, host, scheduler, submit } = setup({ maxThreads: 1, terminateMillis: 5, graceMillis: 5 })
    const getStuck = (): void => {
      const { run } = submit(0)
      const thread = host.threads.at(-1)!
      thread.ready()
      thread.enter()
      scheduler.stop(run, "Abort")
      host.advance(10)
    }
    getStuck()
    assert.strictEqual(scheduler.threads.stuck.size, 1)
    assert.isFalse(events.some(({ _tag }) => _tag === "StuckLimit"))
    getStuck()
    assert.deepInclude(events, { _tag: "StuckLimit", stuck: 2, places: 0 })
    assert.strictEqual(host.threads.length, 2)
    const waiting = submit(1)
    host.advance(10_000)
    assert.strictEqual(reasonOf(waiting)._tag, "SpawnFailed")
    assert.strictEqual(host.threads.length, 2, "no third thread")
    const patient = submit(2)
    host.threads[0]!.exit(1)
    assert.strictEqual(host.threads.length, 3)
    host.threads[2]!.ready()
    host.threads[2]!.enter()
    host.threads[2]!.finish(2)
    assert.deepStrictEqual(patient.exit, Exit.succeed(2))
  })

  it("F5: with a replacement stuck as well there are fewer places than none, and tasks fail all the same", () => {
    const { host, scheduler, submit } = setup({
      maxThreads: 1,
      terminateMillis: 5,
      graceMillis: 5,
      recycle: { ...recycle, ageMillis: 1000 }
    })
    const enter = (): ReturnType<typeof submit> => {
      const submission = submit(0)
      const thread = host.threads.at(-1)!
      thread.ready()
      thread.enter()
      return submission
    }
    const getStuck = (...submissions: ReadonlyArray<ReturnType<typeof submit>>): void => {
      for (const { run } of submissions) scheduler.stop(run, "Abort")
      host.advance(10)
    }
    getStuck(enter())
    const due = enter()
    host.advance(1000)
    assert.strictEqual(host.threads.length, 3, "the due thread has a replacement")
    getStuck(due, enter())
    assert.strictEqual(scheduler.threads.stuck.size, 3)
    const waiting = submit(1)
    host.advance(10_000)
    assert.strictEqual(reasonOf(waiting)._tag, "SpawnFailed")
  })

  it("F5: a result that cannot be read is not taken for another that waits for its turn", () => {
    const { host, submit } = setup({ maxThreads: 1 })
    const submissions = [submit(0)]
    const [thread] = host.threads
    thread!.ready()
    thread!.enter()
    thread!.finish()
    for (let n = 1; n <= 12; n++) submissions.push(submit(n))
    for (let n = 1; n <= 8; n++) {
      thread!.enter()
      thread!.post(protocol.Succeeded, n)
      host.time++
    }
    thread!.enter()
    thread!.postUnreadable()
    host.advance(0)
    while (thread!.inbox.length > 0) {
      thread!.enter()
      thread!.finish()
    }
    host.advance(0)
    for (let n = 1; n <= 8; n++) assert.deepStrictEqual(submissions[n]!.exit, Exit.succeed(n))
    assert.strictEqual(reasonOf(submissions[9]!)._tag, "NotCloneable")
    assert.isTrue(submissions.every(({ exit }) => exit !== undefined))
  })

  it("F5: who throws when told an outcome keeps nobody else from being told", () => {
    const { events, host, scheduler, submit } = setup({ maxThreads: 1 })
    let idle = 0
    scheduler.onIdle(() => idle++)
    const throwing = scheduler.submit(resolve(task), [1], () => {
      throw new Error("told")
    })
    let observed = false
    scheduler.observe(throwing, () => {
      observed = true
    })
    const other = submit(2)
    scheduler.close(() => {})
    assert.isTrue(observed)
    assert.strictEqual(reasonOf(other)._tag, "Cancelled")
    assert.strictEqual(idle, 1)
    assert.deepInclude(events[0], { _tag: "ListenerFailed", task: "task" })
    for (const thread of host.threads) thread.exit()
    assert.isFalse(host.alive)
  })

  it("C1: who is told while a dead thread's tasks are taken back can stop another of them", () => {
    const { host, scheduler, submit } = setup({ maxThreads: 1 })
    const quick = submit(0)
    const [thread] = host.threads
    thread!.ready()
    thread!.enter()
    thread!.finish()
    assert.isDefined(quick.exit)
    const first = submit(1)
    const mandatory = submit(2, { mandatory: true })
    const plain = scheduler.submit(resolve(task), [3], () => scheduler.stop(mandatory.run, "Abort"))
    thread!.enter()
    thread!.finish()
    assert.isDefined(first.exit)
    assert.strictEqual(thread!.inbox.length, 2, "one batch")
    scheduler.close(() => {})
    thread!.exit(1)
    assert.strictEqual(plain.state, mandatory.run.state)
    assert.deepInclude(reasonOf(mandatory), { _tag: "Cancelled", stage: "Queued" })
  })

  it("F5: prewarm fails when stuck threads leave no place", () => {
    const { host, scheduler, submit } = setup({ maxThreads: 1, terminateMillis: 5, graceMillis: 5 })
    for (let i = 0; i < 2; i++) {
      const { run } = submit(0)
      const thread = host.threads.at(-1)!
      thread.ready()
      thread.enter()
      scheduler.stop(run, "Abort")
      host.advance(10)
    }
    let told: unknown = "nothing"
    scheduler.prewarm(1, (failed) => {
      told = failed
    })
    host.advance(60_000)
    assert.deepInclude(told, { _tag: "SpawnFailed" })
    assert.isFalse(host.alive)
  })

  it("F5: a smaller prewarm does not take from a larger one that still waits", () => {
    const { host, scheduler } = setup({ maxThreads: 3 })
    host.refusal = new Error("EAGAIN")
    const told: Array<string> = []
    scheduler.prewarm(3, (failed) => told.push(`three ${failed?._tag}`))
    scheduler.prewarm(1, (failed) => told.push(`one ${failed?._tag}`))
    host.refusal = undefined
    host.advance(50)
    for (const thread of host.threads) thread.ready()
    assert.deepStrictEqual(told, ["one undefined", "three undefined"])
    assert.isFalse(host.alive)
  })

  it("a thread whose result is on its way is not taken for one that does not answer", () => {
    const { events, host, submit } = setup({ maxThreads: 1 })
    const run = submit(1)
    const [thread] = host.threads
    thread!.ready()
    thread!.enter()
    // The event loop is blocked meanwhile: timers come before what has arrived.
    const deliver = thread!.postLater(protocol.Succeeded, "text")
    host.time += 6000
    host.advance(1)
    assert.isFalse(thread!.terminated)
    deliver()
    assert.deepStrictEqual(run.exit, Exit.succeed("text"))
    assert.deepStrictEqual(events, [])
  })

  it("F5: a clock that jumps, as after the sleep of the machine, ends what is due and loses nothing", () => {
    const { host, scheduler, submit } = setup({ maxThreads: 1, keepAliveMillis: 1000 })
    const running = submit(1)
    const limited = submit(2, { timeLimit: 50 })
    const expired = submit(3, { queueTimeLimit: 50 })
    const queued = submit(4)
    const [thread] = host.threads
    thread!.ready()
    thread!.enter()
    host.time += 3_600_000
    host.advance(1)
    assert.strictEqual(reasonOf(expired)._tag, "QueueTimedOut")
    assert.isUndefined(running.exit)
    thread!.finish(1)
    assert.deepStrictEqual(running.exit, Exit.succeed(1))
    // It was sent after the jump, and has its time.
    thread!.enter()
    host.advance(49)
    assert.isFalse(thread!.isStopRequested)
    host.time -= 10_000
    host.advance(5)
    thread!.finish(2)
    assert.deepStrictEqual(limited.exit, Exit.succeed(2))
    thread!.enter()
    thread!.finish(4)
    assert.deepStrictEqual(queued.exit, Exit.succeed(4))
    assert.isTrue(scheduler.isIdle)
    host.advance(3_700_000)
    assert.isTrue(thread!.retired)
  })

  it("what has ended is found in the block by the watch, before the message about it comes", () => {
    const { host, scheduler, submit } = setup({ maxThreads: 1 })
    const posted = submit(1)
    const [thread] = host.threads
    thread!.ready()
    // Seen to have ended, but its result is on the way.
    thread!.enter()
    thread!.post(protocol.Succeeded, "text", true)
    host.advance(50)
    assert.isUndefined(posted.exit)
    thread!.tell()
    assert.deepStrictEqual(posted.exit, Exit.succeed("text"))
    // Nothing is on the way for this one, and nothing is left behind it.
    const kept = submit(2)
    thread!.enter()
    thread!.finish(2, true)
    host.advance(50)
    assert.deepStrictEqual(kept.exit, Exit.succeed(2))
    thread!.tell()
    assert.isTrue(scheduler.isIdle)
    host.advance(6000)
    assert.isFalse(thread!.terminated, "an idle thread is not one that does not answer")
  })
})
