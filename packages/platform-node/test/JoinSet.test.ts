import { NodeBlocking } from "@effect-blocking/platform-node"
import { assert, describe, it } from "@effect/vitest"
import { Effect, Exit, Fiber, Logger, Option, Schedule, Scope } from "effect"
import { Blocking, JoinSet } from "effect-blocking"
import * as tasks from "./fixtures/tasks.ts"
import * as Gate from "./utils/gate.ts"
import { reasonOf } from "./utils/pool.ts"

const live = NodeBlocking.layer({ maxThreads: 2, gracePeriod: "1 millis" })

describe("JoinSet", () => {
  it.live("results come in order of completion", () =>
    Effect.gen(function*() {
      const set = yield* JoinSet.make<number>()
      assert.isTrue(JoinSet.isJoinSet(set))
      const gates = [Gate.make(), Gate.make()] as const
      yield* JoinSet.spawn(set, tasks.hold, gates[0], 1)
      yield* JoinSet.spawn(set, tasks.hold, gates[1], 2)
      assert.strictEqual(yield* JoinSet.size(set), 2)
      Gate.open(gates[1])
      assert.deepStrictEqual(yield* JoinSet.joinNext(set), Option.some(2))
      Gate.open(gates[0])
      assert.deepStrictEqual(yield* JoinSet.joinNext(set), Option.some(1))
      assert.deepStrictEqual(yield* JoinSet.joinNext(set), Option.none())
    }).pipe(Effect.provide(live)))

  it.live("joinAll collects, fails with the first error, and leaves the rest", () =>
    Effect.gen(function*() {
      const set = yield* JoinSet.make<number, { readonly _tag: "Odd"; readonly n: number }>()
      yield* JoinSet.spawn(set, tasks.halve, 2)
      yield* JoinSet.spawn(set, tasks.halve, 4)
      assert.sameMembers(yield* JoinSet.joinAll(set), [1, 2])
      const gate = Gate.make()
      yield* JoinSet.spawn(set, tasks.hold, gate, 9)
      yield* JoinSet.spawn(set, tasks.halve, 3)
      assert.deepStrictEqual(yield* Effect.flip(JoinSet.joinAll(set)), { _tag: "Odd", n: 3 })
      assert.strictEqual(yield* JoinSet.size(set), 1)
      Gate.open(gate)
      assert.deepStrictEqual(yield* JoinSet.joinAll(set), [9])
    }).pipe(Effect.provide(live)))

  it.live("an interrupted joinNext leaves its result to the next caller", () =>
    Effect.gen(function*() {
      const set = yield* JoinSet.make<number>()
      const gate = Gate.make()
      yield* JoinSet.spawn(set, tasks.hold, gate, 1)
      const waiting = yield* Effect.forkChild(JoinSet.joinNext(set), { startImmediately: true })
      assert.deepStrictEqual(yield* JoinSet.joinNext(set), Option.none(), "another caller waits for the only result")
      yield* Fiber.interrupt(waiting)
      Gate.open(gate)
      assert.deepStrictEqual(yield* JoinSet.joinNext(set), Option.some(1))
    }).pipe(Effect.provide(live)))

  it.live("abortAll stops every task, running and queued", () =>
    Effect.gen(function*() {
      const set = yield* JoinSet.make<never | number>()
      const started = Gate.make()
      for (let i = 0; i < 2; i++) yield* JoinSet.spawn(set, tasks.spin, started)
      yield* JoinSet.spawn(set, tasks.mark, started)
      yield* Gate.arrived(started, 2)
      yield* JoinSet.abortAll(set)
      for (let i = 0; i < 3; i++) assert.strictEqual((yield* reasonOf(JoinSet.joinNext(set)))._tag, "Cancelled")
      assert.strictEqual(Gate.arrivals(started), 2)
    }).pipe(Effect.provide(live)))

  it.live("C6: the close of its scope aborts what is in it", () =>
    Effect.gen(function*() {
      const scope = yield* Scope.make()
      const set = yield* Effect.provideService(JoinSet.make<number>(), Scope.Scope, scope)
      const started = Gate.make()
      const handle = yield* JoinSet.spawn(set, tasks.spin, started)
      yield* Gate.arrived(started)
      yield* Scope.close(scope, Exit.void)
      assert.strictEqual((yield* handle.status)._tag, "Done")
      assert.strictEqual((yield* Blocking.stats).outcomes.Cancelled, 1)
    }).pipe(Effect.provide(live)))

  it.live("makeIn takes a named pool", () => {
    class Cpu extends Blocking.Pool<Cpu>()("test/JoinSetCpu") {}
    return Effect.gen(function*() {
      const set = yield* JoinSet.makeIn<number>()(Cpu)
      yield* JoinSet.spawn(set, tasks.add, 1, 1)
      assert.deepStrictEqual(yield* JoinSet.joinAll(set), [2])
      assert.strictEqual((yield* Cpu.stats).submitted, 1)
    }).pipe(Effect.provide(NodeBlocking.layerPool(Cpu)))
  })

  it.live("C6: a task spawned after the scope has closed never runs", () =>
    Effect.gen(function*() {
      const scope = yield* Scope.make()
      const set = yield* Scope.provide(JoinSet.make<number>(), scope)
      yield* JoinSet.spawn(set, tasks.add, 1, 1)
      yield* Scope.close(scope, Exit.void)
      const marked = Gate.make()
      const reason = yield* reasonOf(JoinSet.spawn(set, tasks.mark, marked))
      assert.deepInclude(reason, { _tag: "Cancelled", stage: "Queued" })
      assert.include(reason.message, "its scope had closed")
      yield* Blocking.awaitIdle
      assert.strictEqual(Gate.arrivals(marked), 0)
    }).pipe(Effect.provide(live)))

  it.live("E2: a panic that is never taken out of a set is logged, once; a joined one is not", () => {
    const logged: Array<string> = []
    const logger = Logger.make(({ message }) => {
      logged.push(String(message))
    })
    return Effect.gen(function*() {
      const set = yield* JoinSet.make<number>()
      yield* JoinSet.spawn(set, tasks.panics)
      assert.strictEqual((yield* reasonOf(JoinSet.joinAll(set)))._tag, "Panicked")
      assert.deepStrictEqual(logged, [])
      yield* JoinSet.spawn(set, tasks.panics)
      yield* Blocking.awaitIdle
      yield* Effect.repeat(Effect.sync(() => logged.length), {
        until: (count) => count > 0,
        schedule: Schedule.spaced("1 millis")
      })
      assert.deepStrictEqual(logged, ["A task panicked, and its result has not been read yet"])
    }).pipe(Effect.provide(live), Effect.provide(Logger.layer([logger])))
  })

  it.live("E2: a join that was interrupted before the end does not count as a read", () => {
    const logged: Array<string> = []
    const logger = Logger.make(({ message }) => {
      logged.push(String(message))
    })
    return Effect.gen(function*() {
      const gate = Gate.make()
      const handle = yield* Blocking.spawnDetached(tasks.panicsAfter, gate)
      yield* Gate.arrived(gate)
      const reader = yield* Effect.forkChild(handle.join, { startImmediately: true })
      yield* Fiber.interrupt(reader)
      Gate.open(gate)
      assert.isTrue(Exit.isFailure(yield* handle.await), "a later caller can still read it")
      assert.deepStrictEqual(logged, [], "this one waited for it")
      const second = Gate.make()
      const unread = yield* Blocking.spawnDetached(tasks.panicsAfter, second)
      yield* Gate.arrived(second)
      yield* Fiber.interrupt(yield* Effect.forkChild(unread.join, { startImmediately: true }))
      Gate.open(second)
      yield* Blocking.awaitIdle
      assert.deepStrictEqual(logged, ["A task panicked, and its result has not been read yet"])
    }).pipe(Effect.provide(live), Effect.provide(Logger.layer([logger])))
  })
})
