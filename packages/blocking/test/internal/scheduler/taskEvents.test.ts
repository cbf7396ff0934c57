import { assert, describe, it } from "@effect/vitest"
import type { Blocking } from "effect-blocking"
import { eventCapacity } from "../../../src/internal/scheduler/taskEvents.ts"
import * as protocol from "../../../src/internal/wire/protocol.ts"
import { setup } from "../../utils/simulatedScheduler.ts"

/** The events as text. */
const asText = (events: ReadonlyArray<Blocking.TaskEvent>): ReadonlyArray<string> =>
  events.map((event) => {
    switch (event._tag) {
      case "Dropped":
        return `Dropped ${event.count}`
      case "Ended":
        return `Ended ${event.id} ${event.outcome} waited ${event.queueWaitMillis} ran ${event.runMillis}`
      case "Started":
        return `Started ${event.id} at ${event.at} on ${event.threadId} waited ${event.queueWaitMillis}`
      case "Queued":
        return `Queued ${event.id} at ${event.at}`
      default:
        return `${event._tag} ${event.id} on ${event.threadId} by ${event.by}`
    }
  })

describe("task events", () => {
  it("W5: without a listener, nothing is kept of a run", () => {
    const { host, scheduler, submit } = setup({ maxThreads: 1 })
    const { taskEvents } = scheduler.outcomes
    assert.isFalse(taskEvents.isOn)
    const before = submit(1)
    const [thread] = host.threads
    thread!.ready()
    thread!.enter()
    thread!.finish(1)
    assert.isUndefined(before.run.details, "not even its times")

    const buffer = taskEvents.listen()
    assert.isTrue(taskEvents.isOn)
    taskEvents.forget(buffer)
    assert.isFalse(taskEvents.isOn)
    const after = submit(1)
    thread!.enter()
    thread!.finish(1)
    assert.isUndefined(after.run.details)
    assert.deepStrictEqual(buffer.take(), [])
  })

  it("W4: each step of a run is reported once, in order, with its own time", () => {
    const { host, scheduler, submit } = setup({ maxThreads: 1 })
    const buffer = scheduler.outcomes.taskEvents.listen()
    submit(1)
    const second = submit(2)
    const [thread] = host.threads
    host.advance(10)
    thread!.ready()
    host.advance(5)
    thread!.enter()
    host.advance(30)
    assert.deepStrictEqual(asText(buffer.take()), [
      "Queued 1 at 1000",
      "Queued 2 at 1000",
      "Started 1 at 1015 on 1 waited 15"
    ], "a start is reported while the body runs")
    thread!.finish(1)
    thread!.enter()
    host.advance(7)
    thread!.post(protocol.Panicked, "thrown")
    assert.isDefined(second.exit)
    const [ended, ...rest] = buffer.take()
    assert.deepStrictEqual(asText([ended!]), ["Ended 1 Succeeded waited 15 ran 30"])
    assert.deepInclude(ended, { task: "task", error: undefined, at: 1045 })
    assert.deepStrictEqual(asText(rest), [
      "Started 2 at 1045 on 1 waited 45",
      "Ended 2 Panicked waited 45 ran 7"
    ])
    assert.deepInclude(rest[1], { module: second.run.task.module })
    assert.propertyVal((rest[1] as Blocking.TaskEnded).error, "_tag", "JoinError")
  })

  it("W4: each step of a stop is reported with its cause; nothing follows the end", () => {
    const { host, scheduler, submit } = setup({ maxThreads: 1 })
    const buffer = scheduler.outcomes.taskEvents.listen()
    submit(1, { timeLimit: 20 })
    const [thread] = host.threads
    thread!.ready()
    thread!.enter()
    host.advance(20)
    host.advance(100)
    host.advance(50)
    assert.deepStrictEqual(asText(buffer.take()), [
      "Queued 1 at 1000",
      "Started 1 at 1000 on 1 waited 0",
      "StopRequested 1 on 1 by TimeLimit",
      "Terminated 1 on 1 by TimeLimit",
      "Abandoned 1 on 1 by TimeLimit",
      "Ended 1 TimedOut waited 0 ran 170"
    ])
    host.advance(1000)
    assert.deepStrictEqual(buffer.take(), [])

    const queued = submit(2)
    scheduler.stop(queued.run, "Interrupt")
    assert.deepStrictEqual(asText(buffer.take()), [
      `Queued 2 at ${host.now()}`,
      "Ended 2 Cancelled waited 0 ran undefined"
    ], "a run that never started")

    const loading = submit(3)
    const second = host.threads[1]!
    second.ready()
    second.claim()
    scheduler.stop(loading.run, "Abort")
    assert.strictEqual(asText(buffer.take()).at(-1), "Ended 3 Cancelled waited 0 ran undefined")
    submit(4)
    second.enter()
    host.advance(100)
    assert.deepStrictEqual(asText(buffer.take()).map((line) => line.slice(0, 8)), ["Queued 4"])
  })

  it("W4: the buffer is bounded, and its reader learns how many events were dropped", () => {
    const { host, scheduler, submit } = setup({ maxThreads: 1, queueCapacity: eventCapacity * 2 })
    const slow = scheduler.outcomes.taskEvents.listen()
    const quick = scheduler.outcomes.taskEvents.listen()
    for (let n = 0; n < eventCapacity; n++) submit(n)
    assert.lengthOf(quick.take(), eventCapacity)
    for (let n = 0; n < 3; n++) submit(n)
    const events = slow.take()
    assert.deepStrictEqual(events[0], { _tag: "Dropped", count: 3 })
    assert.lengthOf(events, eventCapacity + 1)
    assert.deepInclude(events[1], { _tag: "Queued", id: 4 })
    assert.deepInclude(events.at(-1), { _tag: "Queued", id: eventCapacity + 3 })
    assert.deepStrictEqual(asText(quick.take()).map((line) => line.split(" ")[0]), ["Queued", "Queued", "Queued"])
    assert.deepStrictEqual(slow.take(), [])
    assert.isDefined(host)
  })

  it("W4: a waiting listener is woken once, in the next turn and not in the middle of a submission", () => {
    const { host, scheduler, submit } = setup({ maxThreads: 1 })
    const buffer = scheduler.outcomes.taskEvents.listen()
    let woken = 0
    buffer.onAny(() => woken++)
    submit(1)
    submit(2)
    assert.strictEqual(woken, 0)
    host.turnOver()
    assert.strictEqual(woken, 1)
    buffer.onAny(() => woken++)
    assert.strictEqual(woken, 2, "there is something to take")
    buffer.take()
    const forget = buffer.onAny(() => woken++)
    submit(3)
    forget()
    host.turnOver()
    assert.strictEqual(woken, 2, "a removed callback is not called")
  })
})
