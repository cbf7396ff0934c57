/** `Parallel` under the control of a test: chunk by chunk, on the test clock. */
import { BlockingTest } from "@effect-blocking/vitest"
import { assert, describe, it } from "@effect/vitest"
import { Effect, Exit, Fiber, Stream } from "effect"
import { Blocking, JoinError, Parallel, Task } from "effect-blocking"
import { TestClock } from "effect/testing"
import * as Tasks from "./fixtures/tasks.ts"
import { fork, reasonOf } from "./utils/effects.ts"

const numbersTo = (end: number): Array<number> => Array.from({ length: end }, (_, n) => n)

describe("Parallel", () => {
  it.effect("R5 chunks are deterministic: one item, then sixteen times as many", () =>
    Effect.gen(function*() {
      const submitted = Effect.map(Blocking.stats, ({ submitted }) => submitted)
      const counts: Array<number> = []
      for (let i = 0; i < 2; i++) {
        const before = yield* submitted
        yield* Parallel.forEach(Tasks.half, numbersTo(100).map((n) => n * 2), { concurrency: 1 })
        counts.push((yield* submitted) - before)
      }
      // 1, 16, then half of the rest: 42, 21, 10, 5, 3, 1, 1.
      assert.deepStrictEqual(counts, [9, 9])
    }).pipe(Effect.provide(BlockingTest.layer())))

  it.effect("R5 a hold holds a chunk, and later chunks continue on other threads", () =>
    Effect.gen(function*() {
      const held = yield* BlockingTest.hold(Tasks.half)
      const fiber = yield* fork(Parallel.map(Tasks.half, [2, 4, 6, 8], { chunkSize: 1, concurrency: 2 }))
      yield* held.started
      assert.isUndefined(fiber.pollUnsafe())
      const done = yield* Effect.repeat(
        Effect.map(BlockingTest.callsOf(Tasks.half), (calls) => calls.filter(({ exit }) => exit !== undefined)),
        { until: (done) => done.length === 3 }
      )
      assert.deepStrictEqual(done.map(({ args }) => args), [[4], [6], [8]])
      yield* held.release
      assert.deepStrictEqual(yield* Fiber.join(fiber), [1, 2, 3, 4])
    }).pipe(Effect.provide(BlockingTest.layer())))

  it.effect("R2 a planned failure fails its chunk; a stub is called for each item", () =>
    Effect.gen(function*() {
      yield* BlockingTest.failNext(Tasks.half, new JoinError.WorkerExited({ exitCode: 1 }))
      const reason = yield* reasonOf(Parallel.map(Tasks.half, [2, 4], { chunkSize: 1 }), "WorkerExited")
      assert.strictEqual(reason.exitCode, 1)
      yield* BlockingTest.stub(Tasks.half, (n) => n * 100)
      assert.deepStrictEqual(yield* Parallel.map(Tasks.half, [1, 2, 3]), [100, 200, 300])
      assert.deepStrictEqual(
        yield* Stream.runCollect(Parallel.stream(Tasks.half, Stream.make(1, 2))),
        [100, 200]
      )
    }).pipe(Effect.provide(BlockingTest.layer())))

  it.effect("R5 each item is recorded as a call with its outcome", () =>
    Effect.gen(function*() {
      yield* Parallel.map(Tasks.half, [2, 4, 6])
      yield* Effect.exit(Parallel.map(Tasks.half, [8, 3, 10], { chunkSize: 3 }))
      const calls = yield* BlockingTest.callsOf(Tasks.half)
      assert.deepStrictEqual(calls.map(({ args }) => args), [[2], [4], [6], [8], [3]])
      assert.deepStrictEqual(calls.slice(0, 3).map(({ exit }) => exit), [1, 2, 3].map(Exit.succeed))
      assert.isTrue(Exit.isFailure(calls[4]!.exit!))
    }).pipe(Effect.provide(BlockingTest.layer())))

  it.effect("R5 the test clock stops an item that is too slow", () =>
    Effect.gen(function*() {
      const limited = Task.with(Tasks.half, { timeLimit: "1 second" })
      const held = yield* BlockingTest.hold(limited)
      const slow = yield* fork(reasonOf(Parallel.forEach(limited, [1, 2], { chunkSize: 2 }), "TimedOut"))
      yield* held.started
      yield* TestClock.adjust("1 minute")
      yield* Fiber.join(slow)
    }).pipe(Effect.provide(BlockingTest.layer())))
})
