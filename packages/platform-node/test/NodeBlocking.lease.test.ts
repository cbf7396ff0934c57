import { assert, describe, it } from "@effect/vitest"
import { Cause, Deferred, Effect, Fiber, Tracer } from "effect"
import * as tasks from "./fixtures/tasks.ts"
import * as Gate from "./utils/gate.ts"
import { reasonOf, withPool } from "./utils/pool.ts"

const quick = { gracePeriod: "1 millis" } as const

describe("lease", () => {
  it.live("all calls run on one thread, which no other task gets meanwhile", () =>
    withPool({ maxThreads: 2 }, (pool) =>
      Effect.gen(function*() {
        yield* pool.prewarm(2)
        const threads = yield* pool.lease((lease) =>
          Effect.gen(function*() {
            const mine = yield* lease.run(tasks.whereAmI)
            const others = yield* Effect.all([pool.run(tasks.whereAmI), pool.run(tasks.whereAmI)], { concurrency: 2 })
            const again = yield* Effect.all([lease.run(tasks.whereAmI), lease.run(tasks.whereAmI)], { concurrency: 2 })
            return { mine, others, again }
          })
        )
        assert.deepStrictEqual(threads.again, [threads.mine, threads.mine])
        assert.notInclude(threads.others, threads.mine)
        assert.strictEqual((yield* pool.stats).idleThreads, 2)
      })))

  it.live("concurrent calls run one after the other, in order, and can be interrupted while they wait", () =>
    withPool({ maxThreads: 1 }, (pool) =>
      pool.lease((lease) =>
        Effect.gen(function*() {
          const gate = Gate.make()
          const marked = Gate.make()
          const first = yield* Effect.forkChild(lease.run(tasks.hold, gate, 1))
          yield* Gate.arrived(gate)
          const waiting = yield* Effect.forkChild(lease.run(tasks.mark, marked), { startImmediately: true })
          const last = yield* Effect.forkChild(lease.run(tasks.add, 1, 1), { startImmediately: true })
          yield* Fiber.interrupt(waiting)
          Gate.open(gate)
          assert.deepStrictEqual([yield* Fiber.join(first), yield* Fiber.join(last)], [1, 2])
          assert.strictEqual(Gate.arrivals(marked), 0)
        })
      )))

  it.live("waits for a thread in order, and can be interrupted meanwhile", () =>
    withPool({ maxThreads: 1 }, (pool) =>
      Effect.gen(function*() {
        const gate = Gate.make()
        const held = yield* pool.spawn(tasks.hold, gate, 1)
        yield* Gate.arrived(gate)
        const waiting = yield* Effect.forkChild(pool.lease(() => Effect.void), { startImmediately: true })
        assert.strictEqual((yield* pool.stats).queueDepth, 1)
        yield* Fiber.interrupt(waiting)
        assert.strictEqual((yield* pool.stats).queueDepth, 0)
        Gate.open(gate)
        yield* held.join
        assert.strictEqual(yield* pool.lease((lease) => lease.run(tasks.add, 2, 2)), 4)
      })))

  it.live("once its thread is gone, calls fail and never run on another thread", () =>
    withPool({ maxThreads: 2, ...quick }, (pool) =>
      pool.lease((lease) =>
        Effect.gen(function*() {
          const queued = yield* Effect.forkChild(
            Effect.andThen(Effect.yieldNow, reasonOf(lease.run(tasks.whereAmI)))
          )
          assert.deepInclude(yield* reasonOf(lease.run(tasks.exit, 4)), { _tag: "WorkerExited", exitCode: 4 })
          assert.deepInclude(yield* Fiber.join(queued), { _tag: "WorkerExited", exitCode: 4 })
          const later = yield* Effect.flip(lease.run(tasks.whereAmI))
          assert.deepInclude(later.reason, { _tag: "WorkerExited", exitCode: 4 })
          assert.match(Cause.pretty(Cause.fail(later)), /The thread of the lease is gone/)
        })
      )))

  it.live("its end aborts running calls, and the pool goes on", () =>
    withPool({ maxThreads: 1, ...quick }, (pool) =>
      Effect.gen(function*() {
        const started = Gate.make()
        const reason = yield* Deferred.make<string>()
        yield* pool.lease((lease) =>
          Effect.gen(function*() {
            yield* Effect.forkDetach(
              Effect.flatMap(reasonOf(lease.run(tasks.spin, started)), ({ _tag }) => Deferred.succeed(reason, _tag))
            )
            yield* Gate.arrived(started)
          })
        )
        assert.strictEqual(yield* Deferred.await(reason), "Cancelled")
        assert.strictEqual(yield* pool.run(tasks.add, 1, 1), 2)
      })))

  it.live("a lease used after its end says so, and runs nothing", () =>
    withPool({ maxThreads: 1 }, (pool) =>
      Effect.gen(function*() {
        const marked = Gate.make()
        const lease = yield* pool.lease((lease) => Effect.succeed(lease))
        const reason = yield* reasonOf(lease.run(tasks.mark, marked))
        assert.deepInclude(reason, { _tag: "Cancelled", stage: "Queued" })
        assert.match(reason.message, /^never ran: its lease had ended/)
        assert.strictEqual(Gate.arrivals(marked), 0)
      })))

  it.live("the calls of a lease have spans, like any task of a caller that is traced", () => {
    const spans: Array<string> = []
    const tracer = Tracer.make({
      span: (options) => {
        spans.push(options.name)
        return new Tracer.NativeSpan(options)
      }
    })
    return withPool({ maxThreads: 1 }, (pool) =>
      pool.lease((lease) => lease.run(tasks.add, 1, 1)).pipe(
        Effect.withSpan("caller"),
        Effect.withTracer(tracer),
        Effect.map(() => assert.deepStrictEqual(spans, ["caller", "task add"]))
      ))
  })
})
