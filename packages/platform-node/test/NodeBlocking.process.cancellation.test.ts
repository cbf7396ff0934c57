/** Stops of tasks in processes, with bodies that share no memory with the test. */
import { assert, describe, it, vi } from "@effect/vitest"
import { Effect, Fiber } from "effect"
import { Task } from "effect-blocking"
import * as native from "./fixtures/native.ts"
import * as processes from "./fixtures/processes.ts"
import * as slowLoad from "./fixtures/slowLoadProcess.ts"
import * as FileGate from "./utils/fileGate.ts"
import { reasonOf, withPool } from "./utils/pool.ts"
import { gone, isolation, oneByOne, patient, quick } from "./utils/processes.ts"
import { windows } from "./utils/windows.ts"

vi.setConfig({ testTimeout: 20_000 })

describe("cancellation", oneByOne, () => {
  it.live("C1: aborted while queued, the body never runs", () =>
    withPool({ isolation, maxThreads: 1 }, (pool) =>
      Effect.gen(function*() {
        const [gate, marked] = [yield* FileGate.make, yield* FileGate.make]
        yield* pool.spawn(processes.hold, gate, 1)
        yield* FileGate.arrived(gate)
        const handle = yield* pool.spawn(processes.mark, marked)
        yield* handle.abort
        assert.deepInclude(yield* reasonOf(handle.join), { _tag: "Cancelled", stage: "Queued", by: "Abort" })
        FileGate.open(gate)
        yield* pool.awaitIdle
        assert.deepStrictEqual(FileGate.pids(marked), [])
      })))

  it.live("C1: aborted as soon as it was sent, the body has either been stopped or never runs", () =>
    withPool(patient, (pool) =>
      Effect.gen(function*() {
        const pid = yield* pool.run(processes.pid)
        for (let i = 0; i < 50; i++) {
          const [started, cleaned] = [yield* FileGate.make, yield* FileGate.make]
          const handle = yield* pool.spawn(processes.polite, started, cleaned)
          yield* handle.abort
          const reason = yield* reasonOf(handle.join)
          yield* pool.run(processes.add, 1, 1)
          const ran = FileGate.pids(started).length
          if ((reason as { readonly stage: string }).stage === "Queued") assert.strictEqual(ran, 0)
          assert.strictEqual(FileGate.pids(cleaned).length, ran)
        }
        assert.strictEqual(yield* pool.run(processes.pid), pid)
      })))

  it.live("C1: aborted while its module loads, the body never runs, and the process is spared", () =>
    Effect.scoped(Effect.gen(function*() {
      const loading = yield* FileGate.make
      yield* withPool({ ...quick, gracePeriod: "1 minute", threadData: loading }, (pool) =>
        Effect.gen(function*() {
          const ran = yield* FileGate.make
          const handle = yield* pool.spawn(slowLoad.body, ran)
          yield* FileGate.arrived(loading)
          assert.strictEqual((yield* handle.status)._tag, "Queued")
          yield* handle.abort
          assert.deepInclude(yield* reasonOf(handle.join), { _tag: "Cancelled", stage: "Queued" })
          assert.deepStrictEqual((yield* pool.stats).running, [], "it does not run, and never will")
          // The next task needs the process, and finds the module loaded.
          const next = yield* pool.spawn(slowLoad.body, ran)
          FileGate.open(loading)
          yield* next.join
          assert.strictEqual(FileGate.pids(ran).length, 1)
          assert.strictEqual((yield* pool.stats).threadsStarted, 1)
        }))
    })))

  it.live("C2: stop kills a process that does not heed the flag, and replaces it", () =>
    withPool(quick, (pool) =>
      Effect.gen(function*() {
        const gate = yield* FileGate.make
        const handle = yield* pool.spawn(processes.spin, gate)
        const [pid] = yield* FileGate.arrived(gate)
        yield* handle.abort
        assert.deepInclude(yield* reasonOf(handle.join), {
          _tag: "Cancelled",
          stage: "Running",
          by: "Abort",
          stopped: "Terminated"
        })
        yield* gone(pid)
        assert.strictEqual(yield* pool.run(processes.add, 1, 1), 2)
      })))

  it.live("C2: wait raises the flag and waits for the body, however long it takes", () =>
    withPool({ ...quick, gracePeriod: 0 }, (pool) =>
      Effect.gen(function*() {
        const gate = yield* FileGate.make
        const fiber = yield* Effect.forkChild(pool.run(processes.stubborn, gate))
        const [pid] = yield* FileGate.arrived(gate)
        const interruption = yield* Effect.forkChild(Fiber.interrupt(fiber), { startImmediately: true })
        assert.isUndefined(interruption.pollUnsafe())
        FileGate.open(gate)
        yield* Fiber.join(interruption)
        assert.strictEqual(yield* pool.run(processes.pid), pid)
      })))

  it.live("C2: abandon raises the flag and returns at once; the process stays busy until the body ends", () =>
    withPool({ ...quick, gracePeriod: 0 }, (pool) =>
      Effect.gen(function*() {
        const gate = yield* FileGate.make
        const handle = yield* pool.spawn(Task.with(processes.stubborn, { onInterrupt: "abandon" }), gate)
        const [pid] = yield* FileGate.arrived(gate)
        yield* handle.abort
        assert.strictEqual((yield* handle.status)._tag, "Running")
        const next = yield* Effect.forkChild(pool.run(processes.pid), { startImmediately: true })
        assert.strictEqual((yield* pool.stats).queueDepth, 1)
        FileGate.open(gate)
        assert.isTrue(yield* handle.join, "the flag was raised")
        assert.strictEqual(yield* Fiber.join(next), pid)
      })))

  it.live("C2: timeLimit stops the body, and the loading of its module does not count", () =>
    Effect.scoped(Effect.gen(function*() {
      const loading = yield* FileGate.make
      yield* withPool({ ...quick, threadData: loading }, (pool) =>
        Effect.gen(function*() {
          const limit = { timeLimit: "50 millis" } as const
          const gate = yield* FileGate.make
          const slow = yield* pool.spawn(Task.with(slowLoad.body, limit), gate)
          yield* FileGate.arrived(loading)
          // Once this one has given up, the other has been loading for longer than its limit.
          const impatient = pool.run(Task.with(processes.add, { queueTimeLimit: "100 millis" }), 1, 1)
          assert.strictEqual((yield* reasonOf(impatient))._tag, "QueueTimedOut")
          FileGate.open(loading)
          assert.strictEqual(yield* slow.join, 1)
          const terminated = yield* reasonOf(pool.run(Task.with(processes.spin, limit), gate))
          assert.deepInclude(terminated, { _tag: "TimedOut", limitMillis: 50, stopped: "Terminated" })
          const polite = Task.with(processes.untilAsked, { ...limit, gracePeriod: "1 minute" })
          assert.deepInclude(yield* reasonOf(pool.run(polite, gate)), { _tag: "TimedOut", stopped: "Checkpoint" })
        }))
    })))

  it.live("C3: a blocked loop sees the stop, leaves through finally, and the process takes the next task", () =>
    withPool(patient, (pool) =>
      Effect.gen(function*() {
        const [started, cleaned] = [yield* FileGate.make, yield* FileGate.make]
        const handle = yield* pool.spawn(processes.polite, started, cleaned)
        const [pid] = yield* FileGate.arrived(started)
        yield* handle.abort
        assert.deepInclude(yield* reasonOf(handle.join), { _tag: "Cancelled", stopped: "Checkpoint" })
        assert.deepStrictEqual(FileGate.pids(cleaned), [pid])
        assert.strictEqual(yield* pool.run(processes.pid), pid)
      })))

  it.live("C3: a body that ends by itself when asked keeps its result, and no later task sees the stop", () =>
    withPool(patient, (pool) =>
      Effect.gen(function*() {
        for (let i = 0; i < 10; i++) {
          const started = yield* FileGate.make
          const handle = yield* pool.spawn(processes.untilAsked, started)
          yield* FileGate.arrived(started)
          yield* handle.abort
          assert.strictEqual(yield* handle.join, "partial")
          assert.isFalse(yield* pool.run(processes.seesStop))
        }
      })))

  it.live("C4: what was queued behind a killed process runs elsewhere, exactly once", () =>
    withPool(quick, (pool) =>
      Effect.gen(function*() {
        const [gate, marked] = [yield* FileGate.make, yield* FileGate.make]
        const stuck = yield* pool.spawn(processes.spin, gate)
        yield* FileGate.arrived(gate)
        const behind = yield* Effect.forEach([1, 2, 3], () => pool.spawn(processes.mark, marked))
        yield* stuck.abort
        const pids = yield* Effect.forEach(behind, (handle) => handle.join)
        assert.strictEqual(new Set(pids).size, 1)
        assert.deepStrictEqual(FileGate.pids(marked), pids)
      })))

  it.live.skipIf(windows)(
    "C2: a process blocked in native code is killed, and nothing is left stuck",
    () =>
      native.withFifo((fifo) =>
        withPool(quick, (pool) =>
          Effect.gen(function*() {
            const handle = yield* pool.spawn(native.read, fifo.path)
            yield* fifo.entered
            yield* handle.abort
            assert.deepInclude(yield* reasonOf(handle.join), { _tag: "Cancelled", stopped: "Terminated" })
            const { stuckThreads, threads } = yield* pool.stats
            assert.deepStrictEqual({ stuckThreads, threads }, { stuckThreads: 0, threads: 0 })
            assert.strictEqual(yield* pool.run(processes.add, 1, 1), 2)
          }))
      )
  )
})

describe("time limits", oneByOne, () => {
  it.live("C2: a body that ended in time has not timed out, although the event loop was blocked meanwhile", () =>
    withPool(quick, (pool) =>
      Effect.gen(function*() {
        yield* pool.run(processes.busy, 0)
        const handle = yield* pool.spawn(Task.with(processes.busy, { timeLimit: "400 millis" }), 20)
        // Not in a timer: timers that fall due meanwhile would wait for the messages.
        yield* Effect.callback<void>((resume) => {
          setImmediate(() => {
            const start = performance.now()
            while (performance.now() - start < 600);
            resume(Effect.void)
          })
        })
        assert.strictEqual(yield* handle.join, 20)
      })))
})
