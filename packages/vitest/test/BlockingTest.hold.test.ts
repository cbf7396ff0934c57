import { BlockingTest } from "@effect-blocking/vitest"
import { assert, describe, it, vi } from "@effect/vitest"
import { Deferred, Effect, Exit, Fiber } from "effect"
import { Blocking } from "effect-blocking"
import { TestClock } from "effect/testing"
import * as Tasks from "./fixtures/tasks.ts"
import { dies, fork, reasonOf } from "./utils/effects.ts"

describe("hold", () => {
  it.effect("a held run counts as running, and its body starts on release", () =>
    Effect.gen(function*() {
      const held = yield* BlockingTest.hold(Tasks.add)
      const fiber = yield* fork(Blocking.run(Tasks.add, 1, 2))
      yield* held.started
      const { running } = yield* Blocking.stats
      assert.deepStrictEqual(running.map(({ task }) => task), ["add"])
      assert.isUndefined(fiber.pollUnsafe())
      yield* held.release
      assert.strictEqual(yield* Fiber.join(fiber), 3)
    }).pipe(Effect.provide(BlockingTest.layer())))

  it.effect("holds only the next run of that task; two handles hold two runs", () =>
    Effect.gen(function*() {
      const first = yield* BlockingTest.hold(Tasks.add)
      const second = yield* BlockingTest.hold(Tasks.add)
      const fibers = yield* Effect.forEach([1, 2], (n) => fork(Blocking.run(Tasks.add, n, 0)))
      yield* first.started
      yield* second.started
      assert.strictEqual(yield* Blocking.run(Tasks.add, 3, 0), 3)
      assert.strictEqual(yield* Blocking.run(Tasks.half, 2), 1)
      yield* second.release
      assert.isUndefined(fibers[0]!.pollUnsafe())
      assert.strictEqual(yield* Fiber.join(fibers[1]!), 2)
      yield* first.release
      assert.strictEqual(yield* Fiber.join(fibers[0]!), 1)
    }).pipe(Effect.provide(BlockingTest.layer())))

  it.effect("a release before a run is held cancels the hold", () =>
    Effect.gen(function*() {
      const held = yield* BlockingTest.hold(Tasks.add)
      yield* held.release
      assert.strictEqual(yield* Blocking.run(Tasks.add, 1, 2), 3)
    }).pipe(Effect.provide(BlockingTest.layer())))

  it.effect("C3: if interrupted while held, the body leaves at its checkpoint and the thread survives", () =>
    Effect.gen(function*() {
      const held = yield* BlockingTest.hold(Tasks.polite)
      const fiber = yield* fork(Blocking.run(Tasks.polite, "interrupted"))
      yield* held.started
      const interruption = yield* fork(Fiber.interrupt(fiber))
      yield* Effect.yieldNow
      assert.isUndefined(interruption.pollUnsafe())
      yield* held.release
      yield* Fiber.join(interruption)
      assert.include(Tasks.cleanups, "interrupted")
      assert.strictEqual(yield* Blocking.run(Tasks.polite, "next"), "next")
      assert.strictEqual((yield* Blocking.stats).threadsStarted, 1)
    }).pipe(Effect.provide(BlockingTest.layer())))

  it.effect("an abort terminates and replaces the thread after the grace period", () =>
    Effect.gen(function*() {
      const held = yield* BlockingTest.hold(Tasks.polite)
      const handle = yield* Blocking.spawn(Tasks.polite, "aborted")
      yield* held.started
      const abort = yield* fork(handle.abort)
      yield* TestClock.adjust("199 millis")
      assert.isUndefined(abort.pollUnsafe())
      yield* TestClock.adjust("1 millis")
      yield* Fiber.join(abort)
      const reason = yield* reasonOf(handle.join, "Cancelled")
      assert.strictEqual(reason.stopped, "Terminated")
      yield* held.release
      assert.notInclude(Tasks.cleanups, "aborted")
      yield* Blocking.run(Tasks.add, 1, 2)
      assert.strictEqual((yield* Blocking.stats).threadsStarted, 2)
    }).pipe(Effect.provide(BlockingTest.layer())))

  it.effect("timeLimit: if held longer, the body sees the flag and the caller gets TimedOut", () =>
    Effect.gen(function*() {
      const held = yield* BlockingTest.hold(Tasks.limited)
      const fiber = yield* fork(Blocking.run(Tasks.limited))
      yield* held.started
      yield* TestClock.adjust("999 millis")
      assert.deepStrictEqual((yield* Blocking.stats).running.map(({ runningMillis }) => runningMillis), [999])
      yield* TestClock.adjust("1 millis")
      yield* held.release
      const reason = yield* reasonOf(Fiber.join(fiber), "TimedOut")
      assert.deepStrictEqual([reason.limitMillis, reason.stopped], [1000, "Checkpoint"])
      assert.isFalse(yield* Blocking.run(Tasks.limited))
    }).pipe(Effect.provide(BlockingTest.layer())))

  it.effect("timeLimit and gracePeriod: the thread of a run that is not released is terminated", () =>
    Effect.gen(function*() {
      const held = yield* BlockingTest.hold(Tasks.limited)
      const fiber = yield* fork(Blocking.run(Tasks.limited))
      yield* held.started
      yield* TestClock.adjust("1200 millis")
      assert.strictEqual((yield* reasonOf(Fiber.join(fiber), "TimedOut")).stopped, "Terminated")
    }).pipe(Effect.provide(BlockingTest.layer())))

  it.effect("native: the thread cannot be terminated and is abandoned", () =>
    Effect.gen(function*() {
      const held = yield* BlockingTest.hold(Tasks.limited, { native: true })
      const fiber = yield* fork(Blocking.run(Tasks.limited))
      yield* held.started
      yield* TestClock.adjust("2200 millis")
      assert.strictEqual((yield* reasonOf(Fiber.join(fiber), "TimedOut")).stopped, "Abandoned")
      assert.strictEqual((yield* Blocking.stats).stuckThreads, 1)
      yield* held.release
      assert.strictEqual((yield* Blocking.stats).stuckThreads, 0)
    }).pipe(Effect.provide(BlockingTest.layer())))

  it.effect("if a run is never released, the close of the layer dies with the name of the task", () =>
    Effect.gen(function*() {
      const outlived = yield* Effect.gen(function*() {
        const held = yield* BlockingTest.hold(Tasks.add)
        const fiber = yield* fork(Blocking.run(Tasks.add, 1, 2))
        yield* held.started
        return fiber
      }).pipe(Effect.provide(BlockingTest.layer()), dies)
      assert.deepStrictEqual(outlived, [`Task "add" was held by BlockingTest.hold and never released`])
    }))

  it.effect("if a run is never released, the close of the scope of its hold dies with the name of the task", () =>
    Effect.gen(function*() {
      const defects = yield* Effect.gen(function*() {
        const held = yield* BlockingTest.hold(Tasks.add)
        yield* Effect.forkIn(Effect.exit(Blocking.run(Tasks.add, 1, 2)), yield* Effect.scope)
        yield* held.started
      }).pipe(Effect.scoped, dies)
      assert.deepStrictEqual(defects, [`Task "add" was held by BlockingTest.hold and never released`])
      assert.strictEqual(yield* Blocking.run(Tasks.add, 1, 2), 3)
    }).pipe(Effect.provide(BlockingTest.layer())))

  it.effect("if a run is never released, a task spawned in the same scope does not wait for the clock", () =>
    Effect.gen(function*() {
      const defects = yield* Effect.gen(function*() {
        const held = yield* BlockingTest.hold(Tasks.add)
        yield* Blocking.spawn(Tasks.add, 1, 2)
        yield* held.started
      }).pipe(Effect.scoped, dies)
      assert.deepStrictEqual(defects, [`Task "add" was held by BlockingTest.hold and never released`])
    }).pipe(Effect.provide(BlockingTest.layer())))

  it.effect("a test that waits for a held run gets a warning, in real time", () =>
    Effect.gen(function*() {
      const line = yield* Deferred.make<string>()
      // On the console, because a test under `it.effect` has no logger.
      const warn = vi.spyOn(console, "warn").mockImplementation((message: string) => {
        if (message.includes("polite")) Deferred.doneUnsafe(line, Exit.succeed(message))
      })
      yield* Effect.addFinalizer(() => Effect.sync(() => warn.mockRestore()))
      const held = yield* BlockingTest.hold(Tasks.polite)
      const fiber = yield* fork(Blocking.run(Tasks.polite, "waits"))
      assert.include(yield* Deferred.await(line), `Task "polite" is still held by BlockingTest.hold`)
      yield* held.release
      yield* Fiber.join(fiber)
    }).pipe(Effect.provide(BlockingTest.layer())))

  it.effect("a body that loops until it is asked to stop does not hang the test run", () =>
    Effect.gen(function*() {
      const { thrown } = yield* reasonOf(Blocking.run(Tasks.endless), "Panicked")
      assert.include(String(thrown), `Task "endless" has polled its stop flag for 5000 ms`)
    }).pipe(Effect.provide(BlockingTest.layer())))

  it.effect("an unused hold is discarded with its scope", () =>
    Effect.gen(function*() {
      yield* Effect.scoped(BlockingTest.hold(Tasks.add))
      assert.strictEqual(yield* Blocking.run(Tasks.add, 1, 2), 3)
    }).pipe(Effect.provide(BlockingTest.layer())))
})
