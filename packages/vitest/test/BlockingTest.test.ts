import { BlockingTest } from "@effect-blocking/vitest"
import { assert, describe, it } from "@effect/vitest"
import { Effect, Fiber, Layer, Option } from "effect"
import { Blocking, JoinSet, Task } from "effect-blocking"
import { TestClock } from "effect/testing"
import * as Tasks from "./fixtures/tasks.ts"
import { Cpu, dies, fork, reasonOf } from "./utils/effects.ts"

describe("outcomes", () => {
  it.effect("a result", () =>
    Effect.gen(function*() {
      assert.strictEqual(yield* Blocking.run(Tasks.add, 1, 2), 3)
      const handle = yield* Blocking.spawn(Tasks.add, 3, 4)
      assert.strictEqual(yield* handle.join, 7)
    }).pipe(Effect.provide(BlockingTest.layer())))

  it.effect("E1: a domain error, an instance of its class", () =>
    Effect.gen(function*() {
      const error = yield* Effect.flip(Blocking.run(Tasks.half, 3))
      assert.instanceOf(error, Tasks.Odd)
      assert.strictEqual((error as Tasks.Odd).n, 3)
      assert.strictEqual(yield* Blocking.run(Tasks.half, 4), 2)
    }).pipe(Effect.provide(BlockingTest.layer())))

  it.effect("E2: a panic, with name, message, stack and cause", () =>
    Effect.gen(function*() {
      const { thrown } = yield* reasonOf(Blocking.run(Tasks.boom), "Panicked")
      assert.instanceOf(thrown, Error)
      assert.strictEqual((thrown as Error).name, "TypeError")
      assert.strictEqual((thrown as Error).message, "boom")
      assert.include((thrown as Error).stack!, "tasks.ts")
      assert.strictEqual(((thrown as Error).cause as Error).message, "deeper")
    }).pipe(Effect.provide(BlockingTest.layer())))

  it.effect("the values of a schema", () =>
    Effect.gen(function*() {
      assert.deepStrictEqual(yield* Blocking.run(Tasks.parse, 2), new Date(2))
      assert.instanceOf(yield* Effect.flip(Blocking.run(Tasks.parse, 3)), Tasks.Odd)
      yield* BlockingTest.stub(Tasks.parse, () => new Date(99))
      assert.deepStrictEqual(yield* Blocking.run(Tasks.parse, 2), new Date(99))
    }).pipe(Effect.provide(BlockingTest.layer())))

  it.effect("S3: arguments and results are clones", () =>
    Effect.gen(function*() {
      const list = [1]
      const result = yield* Blocking.run(Tasks.push, list)
      assert.deepStrictEqual(result, [1, 1])
      assert.deepStrictEqual(list, [1])
      const again = yield* Blocking.run(Tasks.any, result)
      assert.notStrictEqual(again, result)
    }).pipe(Effect.provide(BlockingTest.layer())))

  it.effect("S3: Task.move detaches the caller's buffer", () =>
    Effect.gen(function*() {
      // To a thread that must start first, and to one that is idle.
      for (let i = 0; i < 2; i++) {
        const buffer = new ArrayBuffer(2)
        const filled = yield* Blocking.run(Tasks.fill, Task.move(buffer))
        assert.isTrue(buffer.detached)
        assert.deepStrictEqual(new Uint8Array(filled), new Uint8Array([7, 7]))
      }
    }).pipe(Effect.provide(BlockingTest.layer())))

  it.effect("shared memory stays shared", () =>
    Effect.gen(function*() {
      const memory = new SharedArrayBuffer(1)
      new Uint8Array((yield* Blocking.run(Tasks.any, memory)) as SharedArrayBuffer)[0] = 7
      assert.strictEqual(new Uint8Array(memory)[0], 7)
    }).pipe(Effect.provide(BlockingTest.layer())))

  it.effect("S4: a value that cannot cross is found, with its path", () =>
    Effect.gen(function*() {
      const argument = yield* reasonOf(Blocking.run(Tasks.any, { on: { done: () => {} } }), "NotCloneable")
      assert.strictEqual(argument.side, "argument")
      assert.strictEqual(argument.path, "arguments[0].on.done")
      const result = yield* reasonOf(Blocking.run(Tasks.leak), "NotCloneable")
      assert.strictEqual(result.side, "success")
      assert.strictEqual(result.path, "result.on.done")
    }).pipe(Effect.provide(BlockingTest.layer())))

  it.effect("code in a body runs in a pool thread, and the code around it does not", () =>
    Effect.gen(function*() {
      assert.deepStrictEqual(yield* Blocking.run(Tasks.context), { inThread: true, data: "eu" })
      assert.isFalse(Task.inPoolThread())
      assert.isUndefined(Task.threadData())
    }).pipe(Effect.provide(BlockingTest.layer({ threadData: { region: "eu" } }))))

  it.effect("a lease and a join set", () =>
    Effect.gen(function*() {
      assert.strictEqual(yield* Blocking.lease((thread) => thread.run(Tasks.add, 1, 1)), 2)
      const set = yield* JoinSet.make<number, never>()
      yield* JoinSet.spawn(set, Tasks.add, 1, 2)
      yield* JoinSet.spawn(set, Tasks.add, 3, 4)
      assert.deepStrictEqual(yield* JoinSet.joinAll(set), [3, 7])
    }).pipe(Effect.provide(BlockingTest.layer())))

  it.effect("P2: a pool that never runs a task has no thread", () =>
    Effect.gen(function*() {
      assert.strictEqual((yield* Blocking.stats).threadsStarted, 0)
    }).pipe(Effect.provide(BlockingTest.layer())))
})

describe("threads", () => {
  it.effect("P1: keepAlive retires an idle thread, which releases its threadLocal values", () =>
    Effect.gen(function*() {
      const held = yield* BlockingTest.hold(Tasks.query)
      const first = yield* fork(Blocking.run(Tasks.query))
      yield* held.started
      const b = yield* Blocking.run(Tasks.query)
      yield* held.release
      const a = yield* Fiber.join(first)
      assert.notStrictEqual(a, b)
      assert.strictEqual((yield* Blocking.stats).threads, 2)
      yield* TestClock.adjust("9 seconds")
      assert.strictEqual((yield* Blocking.stats).threads, 2)
      yield* TestClock.adjust("2 seconds")
      assert.strictEqual((yield* Blocking.stats).threads, 0)
      assert.includeMembers(Tasks.releases, [a, b])
    }).pipe(Effect.provide(BlockingTest.layer())))

  it.effect("P3: two pools share only their control", () =>
    Effect.gen(function*() {
      yield* BlockingTest.fillQueue(Cpu)
      yield* reasonOf(Cpu.run(Tasks.add, 1, 2), "QueueFull")
      assert.strictEqual(yield* Blocking.run(Tasks.add, 1, 2), 3)
      yield* BlockingTest.drainQueue(Cpu)
      assert.strictEqual(yield* Cpu.run(Tasks.add, 3, 4), 7)
      assert.strictEqual((yield* BlockingTest.callsOf(Tasks.add)).length, 3)
    }).pipe(Effect.provide(Layer.merge(
      BlockingTest.layer(),
      BlockingTest.layerPool(Cpu, { maxThreads: 1, queueCapacity: 1, onFull: "fail" })
    ))))

  it.effect("two full pools are drained separately", () =>
    Effect.gen(function*() {
      yield* BlockingTest.fillQueue(Blocking.Blocking)
      yield* BlockingTest.fillQueue(Cpu)
      yield* BlockingTest.drainQueue(Cpu)
      assert.strictEqual(yield* Cpu.run(Tasks.add, 3, 4), 7)
      yield* reasonOf(Blocking.run(Tasks.add, 1, 2), "QueueFull")
    }).pipe(Effect.provide(Layer.merge(
      BlockingTest.layer({ maxThreads: 1, queueCapacity: 1, onFull: "fail" }),
      BlockingTest.layerPool(Cpu, { maxThreads: 1, queueCapacity: 1, onFull: "fail" })
    ))))

  it.effect("S2: tasks queued behind a held run do not wait for it while a thread is free", () =>
    Effect.gen(function*() {
      // Once known to be short, two of them would be sent to a thread together.
      yield* Blocking.run(Tasks.add, 1, 2)
      const busy = [yield* BlockingTest.hold(Tasks.half), yield* BlockingTest.hold(Tasks.half)] as const
      const halves = yield* Effect.forEach([2, 4], (n) => fork(Blocking.run(Tasks.half, n)))
      yield* busy[1].started
      const held = yield* BlockingTest.hold(Tasks.add)
      const first = yield* fork(Blocking.run(Tasks.add, 1, 2))
      const second = yield* fork(Blocking.run(Tasks.add, 3, 4))
      yield* busy[0].release
      yield* held.started
      yield* busy[1].release
      assert.strictEqual(yield* Fiber.join(second), 7)
      yield* held.release
      assert.strictEqual(yield* Fiber.join(first), 3)
      assert.deepStrictEqual(yield* Fiber.joinAll(halves), [1, 2])
    }).pipe(Effect.provide(BlockingTest.layer({ maxThreads: 2 }))))

  it.effect("the only pool is the default, and a missing pool is named", () =>
    Effect.gen(function*() {
      yield* BlockingTest.fillQueue()
      assert.strictEqual((yield* Cpu.stats).running.length, 1)
      assert.deepStrictEqual(yield* dies(BlockingTest.close(Blocking.Blocking)), [
        `BlockingTest: there is no pool "effect-blocking/Blocking" (the test has "app/Cpu"): ` +
        "provide it with BlockingTest.layer or BlockingTest.layerPool"
      ])
    }).pipe(Effect.provide(BlockingTest.layerPool(Cpu, { maxThreads: 1 }))))

  it.live("runs with the live clock as well", () =>
    Effect.gen(function*() {
      const held = yield* BlockingTest.hold(Tasks.limited)
      const fiber = yield* fork(Blocking.run(Task.with(Tasks.limited, { timeLimit: "5 millis", gracePeriod: 0 })))
      yield* held.started
      assert.strictEqual((yield* reasonOf(Fiber.join(fiber), "TimedOut")).stopped, "Terminated")
    }).pipe(Effect.provide(BlockingTest.layer())))
})

it.layer(BlockingTest.layer())("a layer for many tests", (it) => {
  it.effect("runs tasks", () =>
    Effect.gen(function*() {
      assert.strictEqual(yield* Blocking.run(Tasks.add, 1, 2), 3)
    }))

  it.effect("can be replaced by another layer in one test", () =>
    Effect.gen(function*() {
      yield* BlockingTest.fillQueue()
      assert.isTrue(Option.isNone(yield* Effect.option(Blocking.run(Tasks.add, 1, 2))))
    }).pipe(Effect.provide(BlockingTest.layer({ maxThreads: 1, queueCapacity: 0, onFull: "fail" }))))
})
