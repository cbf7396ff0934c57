import { assert, describe, it } from "@effect/vitest"
import { Effect, Fiber } from "effect"
import { Task } from "effect-blocking"
import * as native from "./fixtures/native.ts"
import * as tasks from "./fixtures/tasks.ts"
import * as Gate from "./utils/gate.ts"
import { assertQuiescent, closeable, reasonOf } from "./utils/pool.ts"
import { windows } from "./utils/windows.ts"

describe("shutdown", () => {
  it.live("D1: submissions after it began fail with ShutDown, suspended ones too", () =>
    Effect.gen(function*() {
      const { close, pool } = yield* closeable({ maxThreads: 1, queueCapacity: 1 })
      const gate = Gate.make()
      const running = yield* pool.spawnDetached(tasks.hold, gate, 1)
      yield* Gate.arrived(gate)
      yield* pool.spawnDetached(tasks.add, 1, 1)
      const suspended = yield* Effect.forkChild(reasonOf(pool.run(tasks.add, 2, 2)), { startImmediately: true })
      const closing = yield* Effect.forkChild(close, { startImmediately: true })
      assert.strictEqual((yield* Fiber.join(suspended))._tag, "ShutDown")
      assert.strictEqual((yield* reasonOf(pool.run(tasks.add, 3, 3)))._tag, "ShutDown")
      assert.strictEqual((yield* reasonOf(pool.spawnDetached(tasks.add, 3, 3)))._tag, "ShutDown")
      assert.strictEqual((yield* reasonOf(pool.prewarm(1)))._tag, "ShutDown")
      assert.strictEqual((yield* reasonOf(pool.lease(() => Effect.void)))._tag, "ShutDown")
      assert.isUndefined(closing.pollUnsafe(), "it waits for running tasks")
      Gate.open(gate)
      yield* Fiber.join(closing)
      assert.strictEqual(yield* running.join, 1)
      yield* assertQuiescent(pool)
    }))

  it.live("D2: queued tasks are cancelled, but mandatory ones still run", () =>
    Effect.gen(function*() {
      const { close, logged, pool } = yield* closeable({ maxThreads: 1 })
      const [gate, marked] = [Gate.make(), Gate.make()]
      yield* pool.spawnDetached(tasks.hold, gate, 1)
      yield* Gate.arrived(gate)
      const queued = yield* pool.spawnDetached(tasks.mark, marked)
      const mandatory = yield* pool.spawnDetached(Task.with(tasks.mark, { mandatory: true }), marked)
      const closing = yield* Effect.forkChild(close, { startImmediately: true })
      assert.deepInclude(yield* reasonOf(queued.join), { _tag: "Cancelled", stage: "Queued", by: "Shutdown" })
      Gate.open(gate)
      yield* Fiber.join(closing)
      assert.isNumber(yield* mandatory.join)
      assert.strictEqual(Gate.arrivals(marked), 1)
      assert.deepStrictEqual(logged, [
        "Pool shut down before all of its tasks had ended: 1 cancelled in the queue, 0 terminated, 0 abandoned"
      ])
      yield* assertQuiescent(pool)
    }))

  it.live("D2: a mandatory task that cannot start within shutdownTimeout is cancelled", () =>
    Effect.gen(function*() {
      const { close, pool } = yield* closeable({ maxThreads: 1, shutdownTimeout: 0, gracePeriod: 0 })
      const [started, marked] = [Gate.make(), Gate.make()]
      yield* pool.spawnDetached(tasks.spin, started)
      yield* Gate.arrived(started)
      const mandatory = yield* pool.spawnDetached(Task.with(tasks.mark, { mandatory: true }), marked)
      yield* close
      assert.deepInclude(yield* reasonOf(mandatory.join), { _tag: "Cancelled", stage: "Queued", by: "Shutdown" })
      assert.strictEqual(Gate.arrivals(marked), 0)
      yield* assertQuiescent(pool)
    }))

  it.live("D3: running tasks get shutdownTimeout, then the ladder", () =>
    Effect.gen(function*() {
      const { close, logged, pool } = yield* closeable({
        maxThreads: 2,
        shutdownTimeout: "1 millis",
        gracePeriod: "1 second"
      })
      const [started, cleaned] = [Gate.make(), Gate.make()]
      const polite = yield* pool.spawnDetached(tasks.polite, started, cleaned)
      const spinning = yield* pool.spawnDetached(Task.with(tasks.spin, { onInterrupt: "wait" }), started)
      yield* Gate.arrived(started, 2)
      yield* close
      const by = { _tag: "Cancelled", stage: "Running", by: "Shutdown" } as const
      assert.deepInclude(yield* reasonOf(polite.join), { ...by, stopped: "Checkpoint" })
      assert.deepInclude(yield* reasonOf(spinning.join), { ...by, stopped: "Terminated" })
      assert.strictEqual(Gate.arrivals(cleaned), 1)
      assert.deepStrictEqual(logged, [
        "Pool shut down before all of its tasks had ended: 0 cancelled in the queue, 1 terminated (spin), 0 abandoned"
      ])
      yield* assertQuiescent(pool)
    }))

  it.live("D3: a task that ends within shutdownTimeout keeps its result", () =>
    Effect.gen(function*() {
      const { close, logged, pool } = yield* closeable({ maxThreads: 1, shutdownTimeout: "1 minute" })
      const gate = Gate.make()
      const handle = yield* pool.spawnDetached(tasks.hold, gate, 5)
      yield* Gate.arrived(gate)
      const closing = yield* Effect.forkChild(close, { startImmediately: true })
      Gate.open(gate)
      yield* Fiber.join(closing)
      assert.strictEqual(yield* handle.join, 5)
      assert.deepStrictEqual(logged, [])
      yield* assertQuiescent(pool)
    }))

  // The thread is stuck in `readFileSync` of a FIFO, where neither flag nor termination reaches it.
  it.live.skipIf(windows)(
    "D4: it returns although a thread cannot be terminated, and logs the abandoned task",
    () =>
      native.withFifo((fifo) =>
        Effect.gen(function*() {
          const { close, logged, pool } = yield* closeable({
            maxThreads: 1,
            shutdownTimeout: 0,
            gracePeriod: 0,
            terminateTimeout: "20 millis"
          })
          const handle = yield* pool.spawnDetached(native.read, fifo.path)
          yield* fifo.entered
          yield* close
          assert.deepInclude(yield* reasonOf(handle.join), {
            _tag: "Cancelled",
            by: "Shutdown",
            stopped: "Abandoned"
          })
          assert.match(logged[0]!, /could not be terminated and was abandoned; it runs task "read"/)
          assert.match(logged[1]!, /0 cancelled in the queue, 0 terminated, 1 abandoned \(read\)/)
          yield* assertQuiescent(pool, 1)
          yield* fifo.release
          yield* Effect.repeat(pool.stats, { until: (stats) => stats.stuckThreads === 0, schedule: native.poll })
        })
      )
  )

  it.live.skipIf(windows)(
    "D4: an abort of such a task returns as well, and the pool goes on with another thread",
    () =>
      native.withFifo((fifo) =>
        Effect.gen(function*() {
          const { close, pool } = yield* closeable({ maxThreads: 1, gracePeriod: 0, terminateTimeout: "20 millis" })
          const handle = yield* pool.spawnDetached(native.read, fifo.path)
          yield* fifo.entered
          yield* handle.abort
          assert.deepInclude(yield* reasonOf(handle.join), { _tag: "Cancelled", by: "Abort", stopped: "Abandoned" })
          assert.strictEqual((yield* pool.stats).stuckThreads, 1)
          assert.strictEqual(yield* pool.run(tasks.add, 1, 1), 2)
          yield* fifo.release
          yield* close
          yield* Effect.repeat(pool.stats, { until: (stats) => stats.stuckThreads === 0, schedule: native.poll })
          yield* assertQuiescent(pool)
        })
      )
  )
})
