import { BlockingTest } from "@effect-blocking/vitest"
import { assert, describe, it } from "@effect/vitest"
import { Effect, Fiber } from "effect"
import { Blocking } from "effect-blocking"
import { TestClock } from "effect/testing"
import * as Tasks from "./fixtures/tasks.ts"
import { fork, reasonOf } from "./utils/effects.ts"

describe("close", () => {
  it.effect("D1: later tasks are refused", () =>
    Effect.gen(function*() {
      yield* BlockingTest.close()
      yield* reasonOf(Blocking.run(Tasks.add, 1, 2), "ShutDown")
    }).pipe(Effect.provide(BlockingTest.layer())))

  it.effect("D2, D3: queued tasks are cancelled, mandatory ones run, held ones get shutdownTimeout and the ladder", () =>
    Effect.gen(function*() {
      const held = yield* BlockingTest.hold(Tasks.polite)
      const running = yield* fork(Blocking.run(Tasks.polite, "closed"))
      yield* held.started
      const queued = yield* fork(Blocking.run(Tasks.add, 1, 2))
      const mandatory = yield* fork(Blocking.run(Tasks.mandatory, 3, 4))
      const closing = yield* fork(BlockingTest.close())
      assert.strictEqual((yield* reasonOf(Fiber.join(queued), "Cancelled")).stage, "Queued")
      yield* TestClock.adjust("5 seconds")
      assert.isUndefined(closing.pollUnsafe())
      yield* held.release
      const { by, stopped } = yield* reasonOf(Fiber.join(running), "Cancelled")
      assert.deepStrictEqual([by, stopped], ["Shutdown", "Checkpoint"])
      assert.strictEqual(yield* Fiber.join(mandatory), 7)
      yield* Fiber.join(closing)
    }).pipe(Effect.provide(BlockingTest.layer({ maxThreads: 1 }))))

  it.effect("D4: a held task is terminated within the bound", () =>
    Effect.gen(function*() {
      const held = yield* BlockingTest.hold(Tasks.polite)
      const running = yield* fork(Blocking.run(Tasks.polite, "terminated"))
      yield* held.started
      const closing = yield* fork(BlockingTest.close())
      yield* TestClock.adjust("5200 millis")
      assert.strictEqual((yield* reasonOf(Fiber.join(running), "Cancelled")).stopped, "Terminated")
      yield* Fiber.join(closing)
    }).pipe(Effect.provide(BlockingTest.layer())))

  it.effect("an interruption does not stop the shutdown, and the close of the layer ends it", () =>
    Effect.gen(function*() {
      const scope = yield* Effect.scope
      yield* Effect.gen(function*() {
        yield* Effect.forkIn(Blocking.lease(() => Effect.never), scope, { startImmediately: true })
        yield* Effect.yieldNow
        const closing = yield* fork(BlockingTest.close())
        yield* Fiber.interrupt(closing)
        yield* reasonOf(Blocking.run(Tasks.add, 1, 2), "ShutDown")
      }).pipe(Effect.provide(BlockingTest.layer()))
    }))

  it.effect("the close of the layer does not wait for the clock, even with leased threads and queued tasks", () =>
    Effect.gen(function*() {
      const fiber = yield* Effect.gen(function*() {
        const scope = yield* Effect.scope
        const fiber = yield* Effect.forkIn(Blocking.lease(() => Effect.never), scope, { startImmediately: true })
        yield* BlockingTest.fillQueue()
        yield* Effect.forkIn(Effect.exit(Blocking.run(Tasks.mandatory, 1, 2)), scope, { startImmediately: true })
        return fiber
      }).pipe(Effect.provide(BlockingTest.layer({ maxThreads: 2 })))
      yield* Fiber.interrupt(fiber)
    }))
})
