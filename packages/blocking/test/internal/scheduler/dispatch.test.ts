import { assert, describe, it } from "@effect/vitest"
import { Exit } from "effect"
import type { PoolThread } from "../../../src/internal/scheduler/poolThread.ts"
import { RunDetails, type RunExit, RunList } from "../../../src/internal/scheduler/run.ts"
import { resolve } from "../../../src/internal/task/resolved.ts"
import * as controlBlock from "../../../src/internal/wire/controlBlock.ts"
import * as protocol from "../../../src/internal/wire/protocol.ts"
import { reasonOf, setup, task } from "../../utils/simulatedScheduler.ts"

describe("dispatch", () => {
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

  it("C1: a task that was sent and not yet claimed is taken back, and the thread stays busy until it has skipped it", () => {
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

  it("C4: tasks that a terminated thread has not claimed go to the head of the queue, in their order", () => {
    const { host, scheduler, submit } = setup({ maxThreads: 1 })
    const first = submit(1)
    submit(2)
    host.threads[0]!.ready()
    host.threads[0]!.exit(1)
    // It had done nothing yet, so it counts as a failed start.
    host.advance(50)
    host.threads[1]!.ready()
    assert.deepStrictEqual(host.threads[1]!.inbox[0]!.args, [1])
    host.threads[1]!.enter()
    host.threads[1]!.finish(1)
    assert.deepStrictEqual(first.exit, Exit.succeed(1))
    assert.deepStrictEqual(host.threads[1]!.inbox[0]!.args, [2])
    assert.strictEqual(scheduler.outcomes.counts.WorkerExited, 0)
  })

  it("C1: a callback that runs while a dead thread's tasks are taken back can stop another of them", () => {
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

  it("a call on a leased thread that is slow to answer is waited for, not taken back", () => {
    const { host, scheduler } = setup({ maxThreads: 2 })
    let leased: PoolThread | undefined
    const holder = scheduler.requestLease(resolve(task), (thread) => {
      leased = thread
      thread.lease = { nested: false, onFree: () => {}, hasWaiting: () => false, onClosing: () => {}, onLost: () => {} }
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

  it("F1: a task fails when two threads died before they claimed it, and the others go on", () => {
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

  it("S4: a refused argument settles its own task and leaves the thread idle", () => {
    const { host, scheduler, submit } = setup({ maxThreads: 1 })
    submit(1)
    const [thread] = host.threads
    thread!.ready()
    thread!.enter()
    thread!.finish()
    assert.strictEqual(scheduler.threads.idleCount, 1)
  })

  it("F5: a result that cannot be read is not taken for another that is deferred", () => {
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

  it("F5: a callback that throws does not keep other outcomes from being reported", () => {
    const { events, host, scheduler, submit } = setup({ maxThreads: 1 })
    let idle = 0
    scheduler.outcomes.onIdle(() => idle++)
    const throwing = scheduler.submit(resolve(task), [1], () => {
      throw new Error("thrown")
    })
    let observed = false
    scheduler.outcomes.observe(throwing, () => {
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

  it("the event loop turns while messages keep coming, and none is lost meanwhile", () => {
    const { host, submit } = setup({ maxThreads: 1 })
    const submissions = Array.from({ length: 12 }, (_, n) => submit(n))
    const [thread] = host.threads
    thread!.ready()
    const ended = (): number => submissions.filter(({ exit }) => exit !== undefined).length
    // Each reports one task, and takes a millisecond: all in one turn.
    const finishOne = (): void => {
      thread!.enter()
      host.time += 1
      thread!.post(protocol.Succeeded, "text")
    }
    while (thread!.inbox.length > 0) finishOne()
    assert.isAtMost(ended(), 6)
    assert.isAtLeast(ended(), 4)
    while (ended() < submissions.length) {
      const before = ended()
      host.turnOver()
      while (thread!.inbox.length > 0) finishOne()
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
    // The thread dies before it has claimed the run.
    host.threads[0]!.exit(1)
    assert.isUndefined(limited.exit)
    host.advance(60)
    assert.strictEqual(reasonOf(limited)._tag, "QueueTimedOut")
  })

  it("F5: a callback that throws when a suspended task is accepted does not affect another task's outcome", () => {
    const { events, host, scheduler, submit } = setup({ maxThreads: 1, queueCapacity: 0 })
    const first = submit(1)
    const details = new RunDetails()
    details.onAccepted = () => {
      throw new Error("an observer throws")
    }
    scheduler.submit(resolve(task), [2], () => {}, details)
    const [thread] = host.threads
    thread!.ready()
    thread!.enter()
    thread!.finish(1)
    assert.deepStrictEqual(first.exit, Exit.succeed(1))
    assert.include(events.map(({ _tag }) => _tag), "ListenerFailed")
  })

  it("F5: a callback that throws when a lease is granted, or threads are prewarmed, does not affect other callbacks", () => {
    const { events, host, scheduler, submit } = setup({ maxThreads: 1 })
    scheduler.prewarm(1, () => {
      throw new Error("an observer throws")
    })
    const holder = scheduler.requestLease(resolve(task), (thread) => {
      thread.lease = { nested: false, onFree: () => {}, hasWaiting: () => false, onClosing: () => {}, onLost: () => {} }
      throw new Error("an observer throws")
    }, () => {})
    const next = submit(2)
    const [thread] = host.threads
    thread!.ready()
    scheduler.release(holder)
    thread!.enter()
    thread!.finish(2)
    assert.deepStrictEqual(next.exit, Exit.succeed(2))
    assert.strictEqual(events.filter(({ _tag }) => _tag === "ListenerFailed").length, 2)
  })

  it("F5: a batch across the wrap of the sequence numbers runs whole, and gives its own results", () => {
    const { host, scheduler, submit } = setup({ maxThreads: 1, queueCapacity: controlBlock.capacity })
    const warmUp = submit(0)
    const [thread] = host.threads
    thread!.ready()
    thread!.enter()
    thread!.finish(0)
    assert.isDefined(warmUp.exit)
    for (const poolThread of scheduler.threads.all) poolThread.sequence = 0x0fffffff - 50
    const busy = submit(0)
    const runs = Array.from({ length: controlBlock.capacity }, (_, n) => submit(n))
    thread!.enter()
    thread!.finish(0)
    assert.isDefined(busy.exit)
    assert.strictEqual(thread!.inbox.length, controlBlock.capacity, "with fewer at once, none would share a cell")
    while (thread!.inbox.length > 0) {
      assert.isTrue(thread!.enter())
      thread!.finish(thread!.task)
    }
    assert.deepStrictEqual(runs.map(({ exit }) => exit), runs.map((_, n) => Exit.succeed(n)))
  })

  it("F5: a task that a thread has skipped is not reported as a success", () => {
    const { host, submit } = setup({ maxThreads: 1 })
    const run = submit(1)
    const [thread] = host.threads
    thread!.ready()
    thread!.skip()
    assert.strictEqual(reasonOf(run)._tag, "WorkerExited")
  })
})
