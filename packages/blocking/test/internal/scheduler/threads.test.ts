import { assert, describe, it } from "@effect/vitest"
import { Exit } from "effect"
import { CannotStart } from "../../../src/internal/scheduler/cannotStart.ts"
import type { SchedulerOptions } from "../../../src/internal/scheduler/options.ts"
import { reasonOf, setup } from "../../utils/simulatedScheduler.ts"

describe("threads", () => {
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

  it("F4: with all threads stuck, a submitter suspended on a queue of capacity 0 fails as well", () => {
    const { host, scheduler, submit } = setup({ maxThreads: 1, queueCapacity: 0 })
    for (let n = 0; n < 2; n++) {
      const stuck = submit(n)
      host.threads[n]!.ready()
      host.threads[n]!.enter()
      scheduler.stop(stuck.run, "Abort")
      host.advance(100)
      host.advance(50)
    }
    assert.strictEqual(scheduler.threads.stuck.size, 2)
    assert.deepInclude(reasonOf(submit(2)), { _tag: "SpawnFailed" })
  })

  it("P1: surplus threads retire after keepAlive, the one that was idle for the longest first", () => {
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

  const retiring = (options?: Partial<SchedulerOptions>) => {
    const pool = setup({ keepAliveMillis: 10, maxThreads: 1, ...options })
    pool.submit(1)
    const thread = pool.host.threads[0]!
    thread.ready()
    thread.enter()
    thread.finish()
    pool.host.advance(10)
    assert.isTrue(thread.retired)
    return { ...pool, thread }
  }

  it("P1: a thread that retires may take any time for its releases, and delays no task meanwhile", () => {
    const { host, submit, thread } = retiring()
    host.advance(60_000)
    assert.isFalse(thread.terminated)
    const second = submit(2)
    host.threads[1]!.ready()
    host.threads[1]!.enter()
    host.threads[1]!.finish(2)
    assert.deepStrictEqual(second.exit, Exit.succeed(2))
    thread.exit()
  })

  it("P1: a task that comes while a thread retires waits for its place no longer than a grace period", () => {
    const { host, submit } = retiring()
    submit(2)
    assert.strictEqual(host.threads.length, 1)
    host.advance(100)
    assert.strictEqual(host.threads.length, 2)
  })

  it("F5: maxThreads threads in long releases delay no task: the longest release is cut short", () => {
    const { events, host, submit, thread } = retiring()
    submit(2)
    host.advance(100)
    const second = host.threads[1]!
    second.ready()
    second.enter()
    second.finish(2)
    host.advance(10)
    assert.isTrue(second.retired)
    host.advance(100)
    assert.isFalse(thread.terminated)
    const waiting = submit(3)
    assert.isTrue(thread.terminated)
    assert.deepInclude(events, { _tag: "ReleaseCut", threadId: 1 })
    thread.exit(1)
    const last = host.threads.at(-1)!
    last.ready()
    last.enter()
    last.finish(3)
    assert.deepStrictEqual(waiting.exit, Exit.succeed(3))
  })

  it("P1: a thread that has released its values and does not end is terminated, and then abandoned", () => {
    const { host, scheduler, thread } = retiring()
    thread.release()
    host.advance(4999)
    assert.isFalse(thread.terminated)
    host.advance(1)
    assert.isTrue(thread.terminated)
    host.advance(50)
    assert.strictEqual(scheduler.threads.stuck.size, 1)
  })

  it("D4: a shutdown gives releases the rest of shutdownTimeout, and reports those that it cuts short", () => {
    const { events, host, scheduler, thread } = retiring()
    scheduler.close(() => {})
    host.advance(1000 + 99)
    assert.isFalse(thread.terminated)
    host.advance(1)
    assert.isTrue(thread.terminated)
    assert.deepInclude(events, { _tag: "ReleaseCut", threadId: 1 })
  })

  it("P1: prewarmed threads that are no longer needed retire after keepAlive", () => {
    const { host, scheduler } = setup({ keepAliveMillis: 50 })
    let ready = false
    scheduler.prewarm(2, (failed) => {
      ready = failed === undefined
    })
    for (const thread of host.threads) thread.ready()
    assert.isTrue(ready)
    host.advance(50)
    assert.deepStrictEqual(host.threads.map(({ retired }) => retired), [true, true])
  })

  it("F4: while a thread is still starting, no task fails because of other failed starts", () => {
    const { events, host, submit } = setup({ maxThreads: 4 })
    const first = submit(1)
    host.refusal = new Error("too many open files")
    const second = submit(2)
    host.advance(20_000)
    assert.isUndefined(first.exit)
    assert.isUndefined(second.exit)
    const [thread] = host.threads
    thread!.ready()
    for (const n of [1, 2]) {
      thread!.enter()
      thread!.finish(n)
    }
    assert.deepStrictEqual([first.exit, second.exit], [Exit.succeed(1), Exit.succeed(2)])
    assert.isTrue(events.some(({ _tag }) => _tag === "NoThreads"), "the failed starts are logged")
  })

  it("F4: when the last starting thread has ended, too, the tasks that wait fail", () => {
    const { host, submit } = setup({ maxThreads: 4 })
    const runs = [submit(1)]
    host.refusal = new Error("too many open files")
    runs.push(submit(2))
    host.advance(20_000)
    host.threads[0]!.exit(1)
    assert.deepStrictEqual(runs.map((run) => reasonOf(run)._tag), ["SpawnFailed", "SpawnFailed"])
  })

  it("F4: a start that cannot succeed is tried once, and reported once", () => {
    const { events, host, submit } = setup()
    host.refusal = new CannotStart("no such file")
    assert.deepInclude(reasonOf(submit(1)), { _tag: "SpawnFailed", attempts: 1 })
    assert.deepInclude(reasonOf(submit(2)), { _tag: "SpawnFailed", attempts: 1 })
    assert.deepStrictEqual(events.map(({ _tag }) => _tag), ["NoThreads"])
    host.refusal = undefined
    const third = submit(3)
    host.threads[0]!.ready()
    host.threads[0]!.enter()
    host.threads[0]!.finish(3)
    assert.deepStrictEqual(third.exit, Exit.succeed(3))
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
    let outcome: unknown = "nothing"
    scheduler.prewarm(1, (failed) => {
      outcome = failed
    })
    host.advance(60_000)
    assert.deepInclude(outcome, { _tag: "SpawnFailed" })
    assert.isFalse(host.alive)
  })

  it("F5: a smaller prewarm does not reduce a larger one that still waits", () => {
    const { host, scheduler } = setup({ maxThreads: 3 })
    host.refusal = new Error("EAGAIN")
    const outcomes: Array<string> = []
    scheduler.prewarm(3, (failed) => outcomes.push(`three ${failed?._tag}`))
    scheduler.prewarm(1, (failed) => outcomes.push(`one ${failed?._tag}`))
    host.refusal = undefined
    host.advance(50)
    for (const thread of host.threads) thread.ready()
    assert.deepStrictEqual(outcomes, ["one undefined", "three undefined"])
    assert.isFalse(host.alive)
  })

  const recycle = { tasks: Infinity, heapBytes: Infinity, ageMillis: Infinity }

  it("recycle: a thread that is due continues until its replacement is ready", () => {
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
    assert.isFalse(thread!.retired, "it finishes its task")
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

  it("recycle: a replaced thread may take any time for its releases", () => {
    const { events, host, submit } = setup({ maxThreads: 1, recycle: { ...recycle, tasks: 1 } })
    submit(1)
    const [thread] = host.threads
    thread!.ready()
    thread!.enter()
    thread!.finish(1)
    host.threads[1]!.ready()
    assert.isTrue(thread!.retired)
    host.advance(60_000)
    assert.isFalse(thread!.terminated)
    thread!.exit()
    assert.isFalse(events.some(({ _tag }) => _tag === "ReleaseCut"))
  })

  it("recycle: idle threads are replaced by age, one after the other, and none retires without a replacement", () => {
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
    assert.strictEqual(reasonOf(submit(1))._tag, "SpawnFailed", "at once, and reported once")
    assert.strictEqual(events.filter(({ _tag }) => _tag === "NoThreads").length, 1)
    host.threads[0]!.exit(1)
    const patient = submit(2)
    assert.strictEqual(host.threads.length, 3)
    host.threads[2]!.ready()
    host.threads[2]!.enter()
    host.threads[2]!.finish(2)
    assert.deepStrictEqual(patient.exit, Exit.succeed(2))
  })

  it("F5: with a replacement stuck as well, the number of places stays 0, and tasks fail", () => {
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
})
