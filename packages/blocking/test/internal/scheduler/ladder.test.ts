import { assert, describe, it } from "@effect/vitest"
import { Exit } from "effect"
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
    const common = { threadId: 1, task: "task" }
    assert.deepStrictEqual(events, [
      { _tag: "Stop", step: "Requested", by: "Abort", ...common },
      { _tag: "Stop", step: "Terminated", by: "Abort", ...common },
      { _tag: "ThreadAbandoned", ...common }
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

  it("C1: a task stopped while its module loads does not count as running; one that runs on after a stop does", () => {
    const { host, scheduler, submit } = setup({ maxThreads: 1 })
    const loading = submit(1)
    const [thread] = host.threads
    thread!.ready()
    thread!.claim()
    assert.strictEqual(scheduler.threads.busyCount, 1)
    scheduler.stop(loading.run, "Abort")
    assert.deepInclude(reasonOf(loading), { _tag: "Cancelled", stage: "Queued" })
    assert.strictEqual(scheduler.threads.busyCount, 0)
    thread!.post(protocol.Stopped)

    const abandoned = submit(2, { onInterrupt: "abandon" })
    thread!.enter()
    scheduler.stop(abandoned.run, "Interrupt")
    assert.strictEqual(scheduler.threads.busyCount, 1)
  })

  const loading = (options: { readonly maxThreads: number }) => {
    const pool = setup(options)
    const run = pool.submit(1)
    const thread = pool.host.threads[0]!
    thread.ready()
    thread.claim()
    pool.scheduler.stop(run.run, "Interrupt")
    assert.isDefined(run.exit)
    return { ...pool, thread }
  }

  it("C2: the ladder covers loading: a thread that others need is ended after gracePeriod", () => {
    const { host, submit, thread } = loading({ maxThreads: 1 })
    const next = submit(2)
    host.advance(99)
    assert.isFalse(thread.terminated)
    host.advance(1)
    assert.isTrue(thread.terminated)
    thread.exit(1)
    host.threads[1]!.ready()
    host.threads[1]!.enter()
    host.threads[1]!.finish(2)
    assert.deepStrictEqual(next.exit, Exit.succeed(2))
  })

  it("C2: … and as soon as it is needed, however late that is", () => {
    const { host, submit, thread } = loading({ maxThreads: 1 })
    host.advance(1050)
    assert.isFalse(thread.terminated, "a slow module is not loaded again for each impatient caller")
    submit(2)
    host.advance(100)
    assert.isTrue(thread.terminated)
  })

  it("C2: … but not for a task that another thread can run", () => {
    const { host, submit, thread } = loading({ maxThreads: 2 })
    submit(2)
    host.advance(1000)
    assert.isFalse(thread.terminated)
    assert.strictEqual(host.threads.length, 2)
  })

  it("C2: a body that has ended while the event loop was blocked saves its thread, although the grace timer comes first", () => {
    const { host, scheduler, submit } = setup()
    const { run } = submit(1)
    const [thread] = host.threads
    thread!.ready()
    thread!.enter()
    scheduler.stop(run, "Abort")
    host.block(1000, () => thread!.post(protocol.Stopped))
    assert.isFalse(thread!.terminated)
  })

  it("C2: a thread that has ended while the event loop was blocked is not taken for one that does not", () => {
    const { events, host, scheduler, submit } = setup()
    const run = submit(1)
    const [thread] = host.threads
    thread!.ready()
    thread!.enter()
    scheduler.stop(run.run, "Abort")
    host.advance(100)
    assert.isTrue(thread!.terminated)
    host.block(1000, () => thread!.exit(1))
    assert.deepInclude(reasonOf(run), { _tag: "Cancelled", stopped: "Terminated" })
    assert.isFalse(events.some(({ _tag }) => _tag === "ThreadAbandoned"))
  })

  it("F4: a thread that has become ready while the event loop was blocked has started in time", () => {
    const { events, host, submit } = setup()
    submit(1)
    const [thread] = host.threads
    host.block(60_000, () => thread!.ready())
    assert.isFalse(thread!.terminated)
    assert.deepStrictEqual(events, [])
  })

  it("P1: a thread that has retired while the event loop was blocked is not terminated", () => {
    const { events, host, submit } = setup({ keepAliveMillis: 10 })
    submit(1)
    const [thread] = host.threads
    thread!.ready()
    thread!.enter()
    thread!.finish()
    host.advance(10)
    thread!.release()
    host.block(60_000, () => thread!.exit(0))
    assert.isFalse(thread!.terminated)
    assert.deepStrictEqual(events, [])
  })
})
