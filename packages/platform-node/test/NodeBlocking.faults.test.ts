import { assert, describe, it } from "@effect/vitest"
import { Effect, Fiber, Schedule } from "effect"
import * as faults from "./fixtures/faults.ts"
import * as native from "./fixtures/native.ts"
import * as tasks from "./fixtures/tasks.ts"
import * as Gate from "./utils/gate.ts"
import { closeable, reasonOf, withPool } from "./utils/pool.ts"
import * as Program from "./utils/program.ts"
import { windows } from "./utils/windows.ts"

const poll = Schedule.spaced("5 millis")

describe("faults", () => {
  it.live("F1: process.exit in a task ends it with its code, and tasks behind it run elsewhere, once", () =>
    withPool({ maxThreads: 1 }, (pool) =>
      Effect.gen(function*() {
        const cells = new Int32Array(new SharedArrayBuffer(64))
        const exit = yield* Effect.forkChild(reasonOf(pool.run(tasks.exit, 3)), { startImmediately: true })
        const behind = yield* Effect.forkChild(
          Effect.forEach([1, 2, 3], (n) => pool.run(tasks.log, cells, n), { concurrency: "unbounded" }),
          { startImmediately: true }
        )
        assert.deepInclude(yield* Fiber.join(exit), { _tag: "WorkerExited", exitCode: 3 })
        yield* Fiber.join(behind)
        assert.deepStrictEqual(Array.from(cells.subarray(0, 4)), [3, 1, 2, 3])
        assert.strictEqual((yield* pool.stats).threadsStarted, 2)
      })))

  it.live("F1: a task that outgrows its resourceLimits ends with OutOfMemory, and others run", () =>
    Effect.gen(function*() {
      const { stdout } = yield* Program.run("deaths.ts", { argv: ["thread", "heap"] })
      const { reason, ...others } = JSON.parse(stdout)
      assert.deepInclude(reason, { _tag: "OutOfMemory", limits: { maxOldGenerationSizeMb: 32 } })
      assert.deepStrictEqual(others, { behind: 2, other: 1 })
    }))

  it.live("F1: process.abort, which does not exist in a thread, is a panic with a message about it", () =>
    withPool({}, (pool) =>
      Effect.gen(function*() {
        const reason = yield* reasonOf(pool.run(faults.aborts))
        assert.strictEqual(reason._tag, "Panicked")
        assert.match(String((reason as { readonly thrown?: unknown }).thrown), /process\.abort\(\) is not supported/)
      })))

  it.live("F4: a flag that no thread can have fails the start, by its name and without a stack", () =>
    withPool({ execArgv: ["--nope"] }, (pool) =>
      Effect.gen(function*() {
        const reason = yield* reasonOf(pool.run(tasks.add, 1, 1))
        assert.strictEqual(reason._tag, "SpawnFailed")
        assert.include(reason.message, "invalid execArgv flags: --nope")
        assert.notInclude((reason as { readonly cause?: Error }).cause?.stack, " at ")
      })))

  it.live("F1: a thread that dies while it is idle is replaced when the next task comes, and logged", () =>
    Effect.gen(function*() {
      const { close, logged, pool } = yield* closeable({ maxThreads: 1, minThreads: 1 })
      const gate = Gate.make()
      yield* pool.run(faults.exitsLater, gate)
      yield* Gate.arrived(gate)
      Gate.open(gate)
      yield* Effect.repeat(pool.stats, { until: ({ threadsStarted }) => threadsStarted === 2, schedule: poll })
      assert.strictEqual(yield* pool.run(tasks.add, 1, 1), 2)
      yield* close
      assert.match(logged[0]!, /ended while it was idle, with exit code 6/)
    }))

  it.live("F1: a thread that dies during the shutdown ends its task, and the shutdown goes on", () =>
    Effect.gen(function*() {
      const { close, pool } = yield* closeable({ maxThreads: 2, shutdownTimeout: 0, gracePeriod: "1 minute" })
      const gate = Gate.make()
      const [dies, survives] = yield* Effect.all([
        pool.spawnDetached(faults.exitsWhenAsked, gate),
        pool.spawnDetached(tasks.untilAsked, gate)
      ])
      yield* Gate.arrived(gate, 2)
      yield* close
      assert.deepInclude(yield* reasonOf(dies.join), { _tag: "WorkerExited", exitCode: 7 })
      assert.strictEqual(yield* survives.join, "partial")
    }))

  it.live.skipIf(windows)(
    "C2: threads stuck in native code are replaced up to maxThreads; then tasks fail, until one has ended",
    () =>
      native.withFifo((first) =>
        native.withFifo((second) =>
          Effect.gen(function*() {
            const { close, logged, pool } = yield* closeable({
              maxThreads: 1,
              gracePeriod: 0,
              terminateTimeout: "10 millis"
            })
            for (const fifo of [first, second]) {
              const handle = yield* pool.spawnDetached(native.read, fifo.path)
              yield* fifo.entered
              yield* handle.abort
            }
            assert.deepInclude(yield* pool.stats, { stuckThreads: 2, threads: 0 })
            const reason = yield* reasonOf(pool.run(tasks.add, 1, 1))
            assert.strictEqual(reason._tag, "SpawnFailed")
            assert.match(String((reason as { readonly cause?: unknown }).cause), /2 threads are stuck in native code/)
            yield* first.release
            yield* Effect.repeat(pool.stats, { until: ({ stuckThreads }) => stuckThreads === 1, schedule: poll })
            assert.strictEqual(yield* pool.run(tasks.add, 1, 1), 2)
            assert.isTrue(logged.some((line) => line.includes("2 threads of the pool are stuck in native code")))
            yield* second.release
            yield* Effect.repeat(pool.stats, { until: ({ stuckThreads }) => stuckThreads === 0, schedule: poll })
            yield* close
          })
        )
      )
  )
})

describe("recycle", () => {
  it.live("by tasks: a replacement follows, the values of the old thread are released, and no task is lost", () =>
    withPool({ maxThreads: 1, recycle: { tasks: 2 } }, (pool) =>
      Effect.gen(function*() {
        const released = Gate.make()
        const before = yield* pool.run(tasks.releaseTo, released)
        yield* pool.run(tasks.add, 1, 1)
        // Released when the replacement is ready and the old thread is idle.
        yield* Gate.arrived(released)
        const after = yield* pool.run(tasks.whereAmI)
        assert.notStrictEqual(after, before)
        yield* Effect.repeat(pool.stats, { until: ({ threads }) => threads === 1, schedule: poll })
        assert.strictEqual((yield* pool.stats).threadsStarted, 2)
      })))

  it.live("by heap: a thread that holds too much memory is replaced", () =>
    withPool({ maxThreads: 1, recycle: { heapMb: 200 } }, (pool) =>
      Effect.gen(function*() {
        const before = yield* pool.run(tasks.whereAmI)
        yield* pool.run(faults.keep, 1)
        assert.strictEqual((yield* pool.stats).threadsStarted, 1)
        yield* pool.run(faults.keep, 250)
        const isOther = (thread: number): boolean => thread !== before
        yield* Effect.repeat(pool.run(tasks.whereAmI), { until: isOther, schedule: poll })
      })))

  it.live("a leased thread is replaced when the lease has ended", () =>
    withPool({ maxThreads: 1, recycle: { tasks: 1 } }, (pool) =>
      Effect.gen(function*() {
        const threads = yield* pool.lease((lease) => Effect.forEach([1, 2, 3], () => lease.run(tasks.whereAmI)))
        assert.strictEqual(new Set(threads).size, 1)
        const isOther = (thread: number): boolean => thread !== threads[0]
        yield* Effect.repeat(pool.run(tasks.whereAmI), { until: isOther, schedule: poll })
      })))
})
