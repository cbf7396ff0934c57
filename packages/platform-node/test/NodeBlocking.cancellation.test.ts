import { assert, describe, it } from "@effect/vitest"
import { Effect, Exit, Fiber, Scope } from "effect"
import { Task } from "effect-blocking"
import * as tasks from "./fixtures/tasks.ts"
import * as Gate from "./utils/gate.ts"
import { closeable, reasonOf, withPool } from "./utils/pool.ts"

const quick = { gracePeriod: "1 millis" } as const

describe("cancellation", () => {
  it.live("C1: interrupted while queued, the body never runs", () =>
    withPool({ maxThreads: 1 }, (pool) =>
      Effect.gen(function*() {
        const gate = Gate.make()
        const marked = Gate.make()
        const held = yield* pool.spawn(tasks.hold, gate, 1)
        yield* Gate.arrived(gate)
        const fiber = yield* Effect.forkChild(pool.run(tasks.mark, marked), { startImmediately: true })
        yield* Fiber.interrupt(fiber)
        Gate.open(gate)
        yield* held.join
        yield* pool.awaitIdle
        assert.strictEqual(Gate.arrivals(marked), 0)
        assert.strictEqual((yield* pool.stats).outcomes.Cancelled, 1)
      })))

  it.live("C1: aborted while queued, the body never runs, and join says so", () =>
    withPool({ maxThreads: 1 }, (pool) =>
      Effect.gen(function*() {
        const gate = Gate.make()
        const marked = Gate.make()
        yield* pool.spawn(tasks.hold, gate, 1)
        const handle = yield* pool.spawn(tasks.mark, marked)
        assert.strictEqual((yield* handle.status)._tag, "Queued")
        yield* handle.abort
        assert.deepInclude(yield* reasonOf(handle.join), { _tag: "Cancelled", stage: "Queued", by: "Abort" })
        assert.strictEqual((yield* handle.status)._tag, "Done")
        Gate.open(gate)
        yield* pool.awaitIdle
        assert.strictEqual(Gate.arrivals(marked), 0)
      })))

  it.live("C2: stop terminates a thread that does not heed the flag, and replaces it", () =>
    withPool({ maxThreads: 1, ...quick }, (pool) =>
      Effect.gen(function*() {
        const started = Gate.make()
        const fiber = yield* Effect.forkChild(pool.run(tasks.spin, started))
        yield* Gate.arrived(started)
        yield* Fiber.interrupt(fiber)
        assert.strictEqual((yield* pool.stats).threads, 0, "the interruption returned after the end of the thread")
        assert.strictEqual(yield* pool.run(tasks.add, 1, 1), 2)
      })))

  it.live("C2: an abort of a running task says how it was stopped", () =>
    withPool({ maxThreads: 1, ...quick }, (pool) =>
      Effect.gen(function*() {
        const started = Gate.make()
        const handle = yield* pool.spawn(tasks.spin, started)
        yield* Gate.arrived(started)
        assert.strictEqual((yield* handle.status)._tag, "Running")
        yield* handle.abort
        assert.deepInclude(yield* reasonOf(handle.join), {
          _tag: "Cancelled",
          stage: "Running",
          by: "Abort",
          stopped: "Terminated"
        })
        assert.deepStrictEqual((yield* pool.stats).stops, { Requested: 1, Terminated: 1, Abandoned: 0 })
      })))

  it.live("E2: a panic in the clean-up of an interrupted run is logged, since its exit is not read", () =>
    Effect.gen(function*() {
      const { close, logged, pool } = yield* closeable({ maxThreads: 1, gracePeriod: "1 minute" })
      const started = Gate.make()
      const fiber = yield* Effect.forkChild(pool.run(tasks.panicInCleanUp, started))
      yield* Gate.arrived(started)
      yield* Fiber.interrupt(fiber)
      yield* close
      assert.deepStrictEqual(logged, ["A task panicked, and its result has not been read yet"])
    }))

  it.live("C2: wait raises the flag and waits for the body, however long it takes", () =>
    withPool({ maxThreads: 1, gracePeriod: 0 }, (pool) =>
      Effect.gen(function*() {
        const gate = Gate.make()
        const thread = yield* pool.run(tasks.whereAmI)
        const fiber = yield* Effect.forkChild(pool.run(tasks.stubborn, gate))
        yield* Gate.arrived(gate)
        const interruption = yield* Effect.forkChild(Fiber.interrupt(fiber), { startImmediately: true })
        // The ladder would have terminated the thread before this second task is refused a thread.
        const { idleThreads, running } = yield* pool.stats
        assert.deepStrictEqual({ idleThreads, running: running.length }, { idleThreads: 0, running: 1 })
        assert.isUndefined(interruption.pollUnsafe())
        Gate.open(gate)
        yield* Fiber.join(interruption)
        assert.strictEqual(yield* pool.run(tasks.whereAmI), thread)
      })))

  it.live("C2: abandon raises the flag and returns at once; the thread stays busy until the body ends", () =>
    withPool({ maxThreads: 1, gracePeriod: 0 }, (pool) =>
      Effect.gen(function*() {
        const gate = Gate.make()
        const thread = yield* pool.run(tasks.whereAmI)
        const handle = yield* pool.spawn(Task.with(tasks.stubborn, { onInterrupt: "abandon" }), gate)
        yield* Gate.arrived(gate)
        yield* handle.abort
        assert.strictEqual((yield* handle.status)._tag, "Running")
        const next = yield* Effect.forkChild(pool.run(tasks.whereAmI), { startImmediately: true })
        assert.strictEqual((yield* pool.stats).queueDepth, 1, "no other task gets the thread")
        Gate.open(gate)
        assert.isTrue(yield* handle.join, "the flag was raised")
        assert.strictEqual(yield* Fiber.join(next), thread)
      })))

  it.live("C2: timeLimit stops the body and fails with TimedOut, which says how", () =>
    withPool({ maxThreads: 1, ...quick }, (pool) =>
      Effect.gen(function*() {
        const started = Gate.make()
        // Long enough for a busy machine to get from the entry into the body.
        const limit = { timeLimit: "50 millis" } as const
        const terminated = yield* reasonOf(pool.run(Task.with(tasks.spin, limit), started))
        assert.deepInclude(terminated, { _tag: "TimedOut", limitMillis: 50, stopped: "Terminated" })
        const patient = Task.with(tasks.polite, { ...limit, gracePeriod: "1 minute" })
        const left = yield* reasonOf(pool.run(patient, started, Gate.make()))
        assert.deepInclude(left, { _tag: "TimedOut", limitMillis: 50, stopped: "Checkpoint" })
        const returned = Task.with(tasks.untilAsked, { ...limit, gracePeriod: "1 minute" })
        assert.deepInclude(yield* reasonOf(pool.run(returned, started)), { _tag: "TimedOut", stopped: "Checkpoint" })
      })))

  it.live("C2: timeLimit does not count waiting in the queue or the start of a thread", () =>
    withPool({ maxThreads: 1 }, (pool) =>
      Effect.gen(function*() {
        const gate = Gate.make()
        yield* pool.spawn(tasks.hold, gate, 1)
        const limited = yield* pool.spawn(Task.with(tasks.add, { timeLimit: "300 millis" }), 1, 1)
        // Once this one has given up, the other has waited for longer than its limit.
        const impatient = pool.run(Task.with(tasks.add, { queueTimeLimit: "350 millis" }), 1, 1)
        assert.strictEqual((yield* reasonOf(impatient))._tag, "QueueTimedOut")
        Gate.open(gate)
        assert.strictEqual(yield* limited.join, 2)
      })))

  it.live("C3: checkpoint leaves the body through finally, and the thread takes the next task", () =>
    withPool({ maxThreads: 1, gracePeriod: "1 minute" }, (pool) =>
      Effect.gen(function*() {
        const [started, cleaned] = [Gate.make(), Gate.make()]
        const thread = yield* pool.run(tasks.whereAmI)
        const handle = yield* pool.spawn(tasks.polite, started, cleaned)
        yield* Gate.arrived(started)
        yield* handle.abort
        assert.strictEqual(Gate.arrivals(cleaned), 1)
        assert.deepInclude(yield* reasonOf(handle.join), { _tag: "Cancelled", stopped: "Checkpoint" })
        assert.strictEqual(yield* pool.run(tasks.whereAmI), thread)
      })))

  it.live("C3: a body that ends by itself when asked keeps its result", () =>
    withPool({ maxThreads: 1, gracePeriod: "1 minute" }, (pool) =>
      Effect.gen(function*() {
        const started = Gate.make()
        const handle = yield* pool.spawn(tasks.untilAsked, started)
        yield* Gate.arrived(started)
        yield* handle.abort
        assert.strictEqual(yield* handle.join, "partial")
      })))

  it.live("C3: a stop touches no later task on the same thread", () =>
    withPool({ maxThreads: 1, gracePeriod: "1 minute" }, (pool) =>
      Effect.gen(function*() {
        for (let i = 0; i < 20; i++) {
          const started = Gate.make()
          const handle = yield* pool.spawn(tasks.untilAsked, started)
          yield* Gate.arrived(started)
          yield* handle.abortFork
          assert.isFalse(yield* pool.run(tasks.seesStop))
          // The stop of a run that has ended is late, and has no effect.
          yield* handle.abort
          assert.isFalse(yield* pool.run(tasks.seesStop))
        }
      })))

  it.live("C4: what was queued behind a terminated thread runs elsewhere, exactly once", () =>
    withPool({ maxThreads: 1, ...quick }, (pool) =>
      Effect.gen(function*() {
        const [started, marked] = [Gate.make(), Gate.make()]
        const stuck = yield* pool.spawn(tasks.spin, started)
        yield* Gate.arrived(started)
        const behind = yield* Effect.forEach([1, 2, 3, 4, 5], () => pool.spawn(tasks.mark, marked))
        yield* stuck.abort
        const threads = yield* Effect.forEach(behind, (handle) => handle.join)
        assert.strictEqual(new Set(threads).size, 1)
        assert.strictEqual(Gate.arrivals(marked), 5)
      })))

  it.live("C5: abort of a finished task is a no-op, and join can be called by many fibers", () =>
    withPool({}, (pool) =>
      Effect.gen(function*() {
        const gate = Gate.make()
        const handle = yield* pool.spawn(tasks.hold, gate, 7)
        const joins = yield* Effect.forEach([1, 2, 3], () => Effect.forkChild(handle.join))
        const interrupted = yield* Effect.forkChild(handle.join, { startImmediately: true })
        yield* Fiber.interrupt(interrupted)
        Gate.open(gate)
        assert.deepStrictEqual(yield* Effect.forEach(joins, Fiber.join), [7, 7, 7])
        yield* handle.abort
        assert.strictEqual(yield* handle.join, 7)
        assert.deepStrictEqual(yield* handle.await, Exit.succeed(7))
      })))

  it.live("C6: the close of a scope aborts all that was spawned in it, before it returns", () =>
    withPool({ maxThreads: 2, ...quick }, (pool) =>
      Effect.gen(function*() {
        const [started, cleaned, marked] = [Gate.make(), Gate.make(), Gate.make()]
        const scope = yield* Scope.make()
        const inScope = <A, E>(effect: Effect.Effect<A, E, Scope.Scope>) =>
          Effect.provideService(effect, Scope.Scope, scope)
        const spinning = yield* inScope(pool.spawn(tasks.spin, started))
        const patient = Task.with(tasks.polite, { gracePeriod: "1 minute" })
        const polite = yield* inScope(pool.spawn(patient, started, cleaned))
        const queued = yield* inScope(pool.spawn(tasks.mark, marked))
        const finished = yield* pool.spawnDetached(tasks.add, 1, 1)
        yield* Gate.arrived(started, 2)
        yield* Scope.close(scope, Exit.void)
        for (const handle of [spinning, polite, queued]) {
          assert.strictEqual((yield* handle.status)._tag, "Done")
          assert.strictEqual((yield* reasonOf(handle.join as Effect.Effect<unknown, unknown>))._tag, "Cancelled")
        }
        assert.strictEqual(Gate.arrivals(cleaned), 1)
        assert.strictEqual(Gate.arrivals(marked), 0)
        assert.strictEqual(yield* finished.join, 2, "the detached task continues")
      })))

  it.live("C6: a task spawned in a closed scope never runs", () =>
    withPool({ maxThreads: 1, ...quick }, (pool) =>
      Effect.gen(function*() {
        const scope = yield* Scope.make()
        yield* Scope.close(scope, Exit.void)
        const started = Gate.make()
        const reason = yield* reasonOf(Effect.provideService(pool.spawn(tasks.spin, started), Scope.Scope, scope))
        assert.deepInclude(reason, { _tag: "Cancelled", stage: "Queued" })
        assert.strictEqual((yield* pool.stats).threadsStarted, 0)
      })))
})
