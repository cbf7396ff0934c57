import { assert, describe, it } from "@effect/vitest"
import * as protocol from "../../../src/internal/wire/protocol.ts"
import { reasonOf, setup } from "../../utils/simulatedScheduler.ts"

describe("the ladder", () => {
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
})
