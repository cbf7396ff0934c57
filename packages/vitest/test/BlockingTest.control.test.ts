import { BlockingTest } from "@effect-blocking/vitest"
import { assert, describe, it } from "@effect/vitest"
import { Effect, Exit, Fiber } from "effect"
import { Blocking, JoinError } from "effect-blocking"
import { TestClock } from "effect/testing"
import * as Tasks from "./fixtures/tasks.ts"
import { dies, fork, reasonOf } from "./utils/effects.ts"

describe("failNext", () => {
  it.effect("the next run fails with the reason, and its body does not run", () =>
    Effect.gen(function*() {
      const before = Tasks.cleanups.length
      yield* BlockingTest.failNext(Tasks.polite, new JoinError.OutOfMemory({ limits: {} }))
      yield* BlockingTest.failNext(Tasks.polite, new JoinError.QueueFull({ capacity: 7 }))
      const error = yield* Effect.flip(Blocking.run(Tasks.polite, "failed"))
      assert.instanceOf(error, JoinError.JoinError)
      assert.instanceOf(error.reason, JoinError.OutOfMemory)
      assert.strictEqual(error.task, "polite")
      const reason = yield* reasonOf(Blocking.run(Tasks.polite, "failed"), "QueueFull")
      assert.strictEqual(reason.capacity, 7)
      assert.notInclude(Tasks.cleanups.slice(before), "failed")
      assert.strictEqual(yield* Blocking.run(Tasks.polite, "third"), "third")
      const { outcomes } = yield* Blocking.stats
      assert.deepStrictEqual([outcomes.OutOfMemory, outcomes.QueueFull, outcomes.Succeeded], [1, 1, 1])
    }).pipe(Effect.provide(BlockingTest.layer())))

  it.effect("an unused failure is discarded with its scope", () =>
    Effect.gen(function*() {
      yield* Effect.scoped(BlockingTest.failNext(Tasks.add, new JoinError.ShutDown()))
      assert.strictEqual(yield* Blocking.run(Tasks.add, 1, 2), 3)
    }).pipe(Effect.provide(BlockingTest.layer())))

  it.effect("a held run fails when it is released", () =>
    Effect.gen(function*() {
      const held = yield* BlockingTest.hold(Tasks.add)
      yield* BlockingTest.failNext(Tasks.add, new JoinError.ShutDown())
      const fiber = yield* fork(Blocking.run(Tasks.add, 1, 2))
      yield* held.started
      yield* held.release
      yield* reasonOf(Fiber.join(fiber), "ShutDown")
    }).pipe(Effect.provide(BlockingTest.layer())))
})

describe("stub", () => {
  it.effect("replaces a body: its result, its error, its throw", () =>
    Effect.gen(function*() {
      assert.strictEqual(yield* Blocking.run(Tasks.half, 4), 2)
      yield* BlockingTest.stub(Tasks.half, (n) => n * 100)
      assert.strictEqual(yield* Blocking.run(Tasks.half, 3), 300)
      yield* BlockingTest.stub(Tasks.half, () => {
        throw new Error("stubbed")
      })
      const { thrown } = yield* reasonOf(Blocking.run(Tasks.half, 3), "Panicked")
      assert.strictEqual((thrown as Error).message, "stubbed")
      assert.strictEqual(yield* Blocking.run(Tasks.add, 1, 2), 3)
    }).pipe(Effect.provide(BlockingTest.layer())))

  it.effect("lasts as long as the layer", () =>
    Effect.gen(function*() {
      yield* Effect.provide(BlockingTest.stub(Tasks.add, () => 0), BlockingTest.layer())
      assert.strictEqual(yield* Effect.provide(Blocking.run(Tasks.add, 1, 2), BlockingTest.layer()), 3)
    }))
})

describe("calls", () => {
  it.effect("have their arguments and outcomes, in order of submission", () =>
    Effect.gen(function*() {
      const list = [1]
      yield* Blocking.run(Tasks.push, list)
      list.push(99)
      yield* Effect.exit(Blocking.run(Tasks.half, 3))
      const handle = yield* Blocking.spawn(Tasks.add, 1, 2)
      yield* handle.join
      yield* Blocking.lease((thread) => thread.run(Tasks.add, 3, 4))
      yield* Effect.exit(Blocking.run(Tasks.any, () => {}))
      const calls = yield* BlockingTest.calls
      assert.deepStrictEqual(calls.map(({ task }) => task), ["push", "half", "add", "add", "any"])
      assert.deepStrictEqual(calls[0]!.args, [[1]])
      assert.deepStrictEqual(calls[0]!.exit, Exit.succeed([1, 1]))
      assert.isTrue(Exit.isFailure(calls[1]!.exit!))
      assert.isTrue(Exit.isFailure(calls[4]!.exit!))
      const adds = yield* BlockingTest.callsOf(Tasks.add)
      assert.deepStrictEqual(adds.map(({ args, exit }) => [args, exit]), [
        [[1, 2], Exit.succeed(3)],
        [[3, 4], Exit.succeed(7)]
      ])
    }).pipe(Effect.provide(BlockingTest.layer())))

  it.effect("a running call has no outcome yet", () =>
    Effect.gen(function*() {
      const held = yield* BlockingTest.hold(Tasks.add)
      const fiber = yield* fork(Blocking.run(Tasks.add, 1, 2))
      yield* held.started
      assert.isUndefined((yield* BlockingTest.callsOf(Tasks.add))[0]!.exit)
      yield* held.release
      yield* Fiber.join(fiber)
      assert.deepStrictEqual((yield* BlockingTest.callsOf(Tasks.add))[0]!.exit, Exit.succeed(3))
    }).pipe(Effect.provide(BlockingTest.layer())))
})

describe("fillQueue", () => {
  it.effect("S5: a full queue fails a task if onFull is \"fail\"", () =>
    Effect.gen(function*() {
      yield* BlockingTest.fillQueue()
      const { queueDepth, running } = yield* Blocking.stats
      assert.deepStrictEqual([running.length, queueDepth], [2, 3])
      assert.strictEqual((yield* reasonOf(Blocking.run(Tasks.add, 1, 2), "QueueFull")).capacity, 3)
      yield* BlockingTest.drainQueue()
      assert.strictEqual(yield* Blocking.run(Tasks.add, 1, 2), 3)
      assert.strictEqual((yield* BlockingTest.calls).length, 2)
    }).pipe(Effect.provide(BlockingTest.layer({ maxThreads: 2, queueCapacity: 3, onFull: "fail" }))))

  it.effect("S5: a full queue suspends the submitter, which can be interrupted", () =>
    Effect.gen(function*() {
      yield* BlockingTest.fillQueue()
      const waits = yield* fork(Blocking.run(Tasks.add, 1, 2))
      const gone = yield* fork(Blocking.run(Tasks.polite, "suspended"))
      assert.strictEqual((yield* Blocking.stats).suspended, 2)
      yield* Fiber.interrupt(gone)
      assert.strictEqual((yield* Blocking.stats).suspended, 1)
      yield* BlockingTest.drainQueue()
      assert.strictEqual(yield* Fiber.join(waits), 3)
      assert.notInclude(Tasks.cleanups, "suspended")
    }).pipe(Effect.provide(BlockingTest.layer())))

  it.effect("queueTimeLimit follows the clock", () =>
    Effect.gen(function*() {
      yield* BlockingTest.fillQueue()
      const fiber = yield* fork(Blocking.run(Tasks.impatient))
      yield* TestClock.adjust("1 second")
      assert.strictEqual((yield* reasonOf(Fiber.join(fiber), "QueueTimedOut")).limitMillis, 1000)
    }).pipe(Effect.provide(BlockingTest.layer({ maxThreads: 1 }))))
})

describe("killThread", () => {
  it.effect("F1: the held run ends with WorkerExited, and the waiting task runs on another thread", () =>
    Effect.gen(function*() {
      const held = yield* BlockingTest.hold(Tasks.polite)
      const fiber = yield* fork(Blocking.run(Tasks.polite, "killed"))
      yield* held.started
      const behind = yield* fork(Blocking.run(Tasks.add, 1, 2))
      yield* BlockingTest.killThread(Tasks.polite, { exitCode: 134 })
      assert.strictEqual((yield* reasonOf(Fiber.join(fiber), "WorkerExited")).exitCode, 134)
      assert.strictEqual(yield* Fiber.join(behind), 3)
      yield* held.release
      assert.notInclude(Tasks.cleanups, "killed")
      assert.strictEqual((yield* Blocking.stats).threadsStarted, 2)
    }).pipe(Effect.provide(BlockingTest.layer({ maxThreads: 1 }))))

  it.effect("dies if no run is held", () =>
    Effect.gen(function*() {
      assert.deepStrictEqual(yield* dies(BlockingTest.killThread(Tasks.add)), [
        `BlockingTest.killThread: no run of task "add" is held; hold it and wait for \`started\` first`
      ])
    }).pipe(Effect.provide(BlockingTest.layer())))
})
