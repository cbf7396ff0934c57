import { assert, describe, it } from "@effect/vitest"
import { Exit } from "effect"
import type { JoinError } from "effect-blocking"
import type { RunExit } from "../../../src/internal/scheduler/run.ts"
import { resolve } from "../../../src/internal/task/resolved.ts"
import * as protocol from "../../../src/internal/wire/protocol.ts"
import { reasonOf, setup, task } from "../../utils/simulatedScheduler.ts"

describe("the monitor", () => {
  it("a wedged thread is terminated, and its task runs elsewhere", () => {
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
    assert.deepInclude(scheduler.ladder.stops, { Requested: 0, Terminated: 0 }, "no stop was requested")
    host.threads[0]!.exit(1)
    host.threads[1]!.ready()
    host.threads[1]!.enter()
    host.threads[1]!.finish(2)
    assert.deepStrictEqual(behind.exit, Exit.succeed(2))
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

  it("a thread whose result is on its way is not wedged", () => {
    const { events, host, submit } = setup({ maxThreads: 1 })
    const run = submit(1)
    const [thread] = host.threads
    thread!.ready()
    thread!.enter()
    // The event loop is blocked meanwhile: timers come before messages that have arrived.
    const deliver = thread!.postLater(protocol.Succeeded, "text")
    host.time += 6000
    host.advance(1)
    assert.isFalse(thread!.terminated)
    deliver()
    assert.deepStrictEqual(run.exit, Exit.succeed("text"))
    assert.deepStrictEqual(events, [])
  })

  it("the monitor finds a result in the control block before its message comes", () => {
    const { host, scheduler, submit } = setup({ maxThreads: 1 })
    const posted = submit(1)
    const [thread] = host.threads
    thread!.ready()
    // It has ended, but its result is on the way.
    thread!.enter()
    thread!.post(protocol.Succeeded, "text", true)
    host.advance(50)
    assert.isUndefined(posted.exit)
    thread!.notify()
    assert.deepStrictEqual(posted.exit, Exit.succeed("text"))
    // The result of this one needs no message, and no task is behind it.
    const kept = submit(2)
    thread!.enter()
    thread!.finish(2, true)
    host.advance(50)
    assert.deepStrictEqual(kept.exit, Exit.succeed(2))
    thread!.notify()
    assert.isTrue(scheduler.outcomes.isIdle)
    host.advance(6000)
    assert.isFalse(thread!.terminated, "an idle thread is not wedged")
  })

  it("F5: a clock that jumps, as after the sleep of the machine, ends tasks that are due and loses none", () => {
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
    // It was sent after the jump, and has its full time.
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
    assert.isTrue(scheduler.outcomes.isIdle)
    host.advance(3_700_000)
    assert.isTrue(thread!.retired)
  })

  it("F5: a task that wedges two threads fails after the second, and says why", () => {
    const { host, submit } = setup({ maxThreads: 1 })
    const run = submit(1)
    for (const thread of [0, 1]) {
      host.threads[thread]!.ready()
      host.advance(6000)
      assert.isTrue(host.threads[thread]!.terminated)
      host.threads[thread]!.exit(1)
    }
    assert.strictEqual(host.threads.length, 2)
    const reason = reasonOf(run)
    assert.strictEqual(reason._tag, "WorkerExited")
    assert.include(String((reason as JoinError.WorkerExited).cause), "did not begin it")
  })

  it("F5: a thread has time to read arguments that took long to copy, and meanwhile they are not sent to another", () => {
    const { host, scheduler } = setup({ maxThreads: 2 })
    let exit: RunExit | undefined
    // Like a large structure: the copy takes a second.
    const slow = {
      get part() {
        host.advance(1000)
        return 1
      }
    }
    scheduler.submit(resolve(task), [slow as unknown], (ended) => {
      exit = ended
    })
    const [thread] = host.threads
    thread!.ready()
    host.advance(20_000)
    assert.isFalse(thread!.terminated)
    assert.strictEqual(host.threads.length, 1)
    thread!.enter()
    thread!.finish(1)
    assert.deepStrictEqual(exit, Exit.succeed(1))
  })
})
