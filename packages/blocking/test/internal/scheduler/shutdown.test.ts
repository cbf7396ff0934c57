import { assert, describe, it } from "@effect/vitest"
import type { ShutdownReport } from "../../../src/internal/scheduler/shutdown.ts"
import * as protocol from "../../../src/internal/wire/protocol.ts"
import { reasonOf, setup } from "../../utils/simulatedScheduler.ts"

describe("shutdown", () => {
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
    assert.isTrue(host.threads[2]!.terminated, "an unneeded thread")
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

  it("D6: a forced shutdown skips the rest of shutdownTimeout, not the ladder", () => {
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
    // A second time, during the ladder: this does not slow it down.
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

  it("D6: a pool can be forced to shut down before its scope closes, and reports that when the scope closes", () => {
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

  it("D6: a close during a forced shutdown waits for its end", () => {
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

  it("D5: a thread may block the exit unless it is idle or has ended", () => {
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
})
