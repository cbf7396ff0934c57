/** Values, bodies and orders of events that a pool has to survive. */
import { assert, describe, it } from "@effect/vitest"
import { Deferred, Effect, Exit, Fiber } from "effect"
import * as hostile from "./fixtures/hostile.ts"
import * as slowLoad from "./fixtures/slowLoad.ts"
import * as tasks from "./fixtures/tasks.ts"
import * as Gate from "./utils/gate.ts"
import { reasonOf, withPool } from "./utils/pool.ts"

describe("values", () => {
  it.live("E2: a thrown value that cannot even be read ends its own task, and the thread goes on", () =>
    withPool({ maxThreads: 1 }, (pool) =>
      Effect.gen(function*() {
        const panicked = yield* reasonOf(pool.run(hostile.throwsRevoked))
        assert.strictEqual(panicked._tag, "Panicked")
        assert.include(panicked.message, "unreadable")
        assert.isTrue(Exit.isFailure(yield* Effect.exit(pool.run(hostile.returnsRevoked))))
        assert.deepInclude(yield* reasonOf(pool.run(hostile.failsRevoked)), { _tag: "NotCloneable", side: "failure" })
        assert.strictEqual((yield* pool.stats).threadsStarted, 1)
      })))

  it.live("S4: an argument that cannot even be read takes no thread and is never waited for", () =>
    withPool({ maxThreads: 1 }, (pool) =>
      Effect.gen(function*() {
        yield* pool.run(tasks.add, 1, 1)
        const { proxy, revoke } = Proxy.revocable({}, {})
        revoke()
        assert.strictEqual((yield* reasonOf(pool.run(hostile.takes, proxy)))._tag, "NotCloneable")
        let list: object = {}
        for (let i = 0; i < 20_000; i++) list = { next: list }
        assert.deepInclude(yield* reasonOf(pool.run(hostile.takes, { list })), {
          _tag: "NotCloneable",
          path: "arguments[0].list.next.next.next …",
          detail: "it is nested too deeply to be sent to another thread"
        })
        yield* pool.awaitIdle
        assert.strictEqual((yield* pool.stats).idleThreads, 1)
      })))

  it.live("F5: a result too deep for this thread to read is NotCloneable, and nothing waits for it", () =>
    withPool({ maxThreads: 1 }, (pool) =>
      Effect.gen(function*() {
        const thread = yield* pool.run(tasks.whereAmI)
        const reason = yield* reasonOf(pool.run(hostile.deep, 4500))
        assert.deepInclude(reason, { _tag: "NotCloneable", side: "success" })
        assert.strictEqual(yield* pool.run(tasks.whereAmI), thread)
      })))

  it.live("S4: an Effect that a body returns is NotCloneable, although a clone of it could be made", () =>
    withPool({ maxThreads: 1 }, (pool) =>
      Effect.gen(function*() {
        const reason = yield* reasonOf(pool.run(hostile.returnsEffect, 1))
        assert.deepInclude(reason, { _tag: "NotCloneable", side: "success", path: "result" })
        assert.include(
          reason.message,
          "an Effect cannot be sent to another thread: run it in the body with Effect.runSync"
        )
        assert.strictEqual((yield* pool.stats).threadsStarted, 1)
      })))

  it.live("E1: data that looks like an encoded error arrives as data", () =>
    withPool({}, (pool) =>
      Effect.gen(function*() {
        assert.deepStrictEqual(yield* Effect.flip(pool.run(hostile.forged)), {
          "~effect-blocking/Error": null,
          n: 1
        })
      })))

  it.live("a schema that throws when it decodes a result ends its own task only", () =>
    withPool({ maxThreads: 1 }, (pool) =>
      Effect.gen(function*() {
        assert.deepInclude(yield* reasonOf(pool.run(hostile.badSchema)), { _tag: "NotCloneable", side: "success" })
        assert.strictEqual(yield* pool.run(tasks.add, 1, 1), 2)
      })))

  it.live("messages that a body posts on the thread's port are ignored", () =>
    withPool({ maxThreads: 1 }, (pool) =>
      Effect.gen(function*() {
        assert.strictEqual(yield* pool.run(hostile.posts), 1)
        assert.strictEqual(yield* pool.run(tasks.add, 1, 1), 2)
      })))
})

describe("orders of events", () => {
  it.live("with leases that end as soon as they are granted, the thread has one holder at a time", () =>
    withPool({ maxThreads: 1 }, (pool) =>
      Effect.gen(function*() {
        const gate = Gate.make()
        const held = yield* pool.spawn(tasks.hold, gate, 0)
        yield* Gate.arrived(gate)
        const short = yield* Effect.forkChild(pool.lease(() => Effect.void), { startImmediately: true })
        Gate.open(gate)
        yield* held.join
        yield* Fiber.join(short)
        let inside = 0
        const session = pool.lease((lease) =>
          Effect.gen(function*() {
            inside++
            assert.strictEqual(inside, 1)
            yield* lease.run(tasks.add, 1, 1)
            inside--
          })
        )
        yield* Effect.all([session, session, session], { concurrency: 3 })
        assert.strictEqual((yield* pool.stats).idleThreads, 1)
      })))

  it.live("a lease call right after the death of its thread fails like later ones", () =>
    withPool({ maxThreads: 1, gracePeriod: "1 millis" }, (pool) =>
      Effect.gen(function*() {
        const reasons = yield* pool.lease((lease) =>
          Effect.gen(function*() {
            const first = yield* reasonOf(lease.run(tasks.exit, 4))
            return [first, yield* reasonOf(lease.run(tasks.add, 1, 1))]
          })
        )
        assert.deepStrictEqual(reasons.map((_) => _._tag), ["WorkerExited", "WorkerExited"])
      })))

  it.live("C2: a race between two tasks of a batch does not keep a later abort from climbing the ladder", () =>
    withPool({ maxThreads: 1, gracePeriod: "50 millis" }, (pool) =>
      Effect.gen(function*() {
        for (let i = 0; i < 30; i++) yield* pool.run(tasks.add, 1, 1)
        const gate = Gate.make()
        const started = Gate.make()
        const held = yield* pool.spawn(tasks.hold, gate, 0)
        yield* Gate.arrived(gate)
        const race = yield* Effect.forkChild(Effect.raceFirst(pool.run(tasks.add, 1, 1), pool.run(tasks.add, 2, 2)))
        yield* Effect.yieldNow
        Gate.open(gate)
        yield* held.join
        yield* Fiber.join(race)
        const spinning = yield* pool.spawn(tasks.spin, started)
        yield* Gate.arrived(started)
        yield* spinning.abort
        assert.deepInclude(yield* reasonOf(spinning.join), { _tag: "Cancelled", stopped: "Terminated" })
      })))

  it.live("C1: interrupted while its module loads, the body never runs, and the thread is spared", () => {
    const loading = Gate.make()
    return withPool({ maxThreads: 1, gracePeriod: 0, threadData: loading }, (pool) =>
      Effect.gen(function*() {
        const ran = Gate.make()
        const handle = yield* pool.spawn(slowLoad.body, ran)
        yield* Gate.arrived(loading)
        assert.strictEqual((yield* handle.status)._tag, "Queued")
        yield* handle.abort
        assert.deepInclude(yield* reasonOf(handle.join), { _tag: "Cancelled", stage: "Queued" })
        assert.deepStrictEqual((yield* pool.stats).running, [], "it does not run, and never will")
        Gate.open(loading)
        // A task that came before the thread has skipped the other would be a reason to terminate it.
        yield* Effect.repeat(pool.stats, { until: ({ idleThreads }) => idleThreads === 1 })
        yield* pool.run(slowLoad.body, ran)
        assert.strictEqual(Gate.arrivals(ran), 1)
        assert.strictEqual((yield* pool.stats).threadsStarted, 1)
      }))
  })

  it.live("S2: a task sent to a thread that an earlier task keeps busy is moved to another", () =>
    withPool({ maxThreads: 2 }, (pool) =>
      Effect.gen(function*() {
        const gate = Gate.make()
        yield* pool.run(hostile.lingers, gate)
        yield* Gate.arrived(gate)
        assert.strictEqual(yield* pool.run(tasks.add, 1, 1), 2)
        Gate.open(gate)
      })))

  it.live("an uncloneable argument leaves no queued task without a thread", () =>
    withPool({ maxThreads: 1 }, (pool) =>
      Effect.gen(function*() {
        yield* pool.run(tasks.add, 1, 1)
        const after = yield* Deferred.make<number>()
        const bad = { onDone: () => {} } as object
        yield* Effect.exit(pool.run(hostile.takes, bad)).pipe(
          Effect.andThen(pool.run(tasks.add, 2, 2)),
          Effect.flatMap((n) => Deferred.succeed(after, n))
        )
        assert.strictEqual(yield* Deferred.await(after), 4)
      })))

  it.live("stop flags are for bodies: a module that is being loaded does not see one", () =>
    withPool({ maxThreads: 1 }, (pool) =>
      Effect.gen(function*() {
        assert.isFalse(yield* pool.run(hostile.stopAtLoad))
      })))

  it.live("prewarm refuses values that are not numbers", () =>
    withPool({}, (pool) =>
      Effect.gen(function*() {
        assert.isTrue(Exit.isFailure(yield* Effect.exit(pool.prewarm(Number.NaN))))
      })))
})
