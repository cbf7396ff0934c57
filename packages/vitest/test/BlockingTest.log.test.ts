import { BlockingTest } from "@effect-blocking/vitest"
import { assert, describe, it } from "@effect/vitest"
import { Effect, Fiber, Layer } from "effect"
import { Blocking, JoinSet } from "effect-blocking"
import { TestClock } from "effect/testing"
import * as Tasks from "./fixtures/tasks.ts"
import { fork } from "./utils/effects.ts"
import { makeLog } from "./utils/log.ts"

describe("log", () => {
  for (const spawn of [Blocking.spawn, Blocking.spawnDetached] as const) {
    const name = spawn === Blocking.spawn ? "spawn" : "spawnDetached"
    it.effect(`E2: ${name}: an unread panic is logged, and recorded in the calls`, () => {
      const log = makeLog()
      return Effect.gen(function*() {
        yield* spawn(Tasks.boom)
        const line = yield* log.line("A task panicked, and its result has not been read yet")
        assert.include(line, "boom")
        const [call] = yield* BlockingTest.callsOf(Tasks.boom)
        assert.strictEqual(call!.exit!._tag, "Failure")
      }).pipe(Effect.provide(Layer.provideMerge(BlockingTest.layer(), log.layer)))
    })
  }

  it.effect("E2: a panic whose reader was interrupted is logged", () => {
    const log = makeLog()
    return Effect.gen(function*() {
      const held = yield* BlockingTest.hold(Tasks.boom)
      const handle = yield* Blocking.spawnDetached(Tasks.boom)
      yield* held.started
      yield* Fiber.interrupt(yield* fork(handle.join))
      yield* held.release
      yield* log.line("A task panicked")
    }).pipe(Effect.provide(Layer.provideMerge(BlockingTest.layer(), log.layer)))
  })

  it.effect("E2: a panic that is not joined from its set is logged", () => {
    const log = makeLog()
    return Effect.gen(function*() {
      yield* Effect.scoped(Effect.gen(function*() {
        const set = yield* JoinSet.make<number, never>()
        yield* JoinSet.spawn(set, Tasks.boom)
        yield* Blocking.awaitIdle
      }))
      yield* log.line("A task panicked")
    }).pipe(Effect.provide(Layer.provideMerge(BlockingTest.layer(), log.layer)))
  })

  it.effect("E2: a panic that is read is not logged", () => {
    const log = makeLog()
    return Effect.gen(function*() {
      const handle = yield* Blocking.spawnDetached(Tasks.boom)
      yield* Effect.exit(handle.join)
      assert.strictEqual((yield* BlockingTest.calls)[0]!.exit!._tag, "Failure")
      assert.deepStrictEqual(log.lines, [])
    }).pipe(Effect.provide(Layer.provideMerge(BlockingTest.layer(), log.layer)))
  })

  const programs: ReadonlyArray<
    readonly [what: string, program: Effect.Effect<unknown, unknown, Blocking.Blocking | BlockingTest.BlockingTest>]
  > = [
    ["an idle thread", Blocking.run(Tasks.add, 1, 2)],
    ["a thread that has panicked", Effect.exit(Blocking.run(Tasks.boom))],
    ["a thread with values to release", Blocking.run(Tasks.query)],
    ["threads that are starting", Effect.andThen(fork(Blocking.prewarm(2)), Effect.void)],
    ["several idle threads", Blocking.prewarm(3)],
    [
      "a mandatory task of a schema that is queued",
      Effect.andThen(fork(Blocking.run(Tasks.mandatoryParse, 2)), Effect.void)
    ],
    ["a thread that retires by the clock", Effect.andThen(Blocking.run(Tasks.add, 1, 2), TestClock.adjust("1 minute"))],
    ["a queue that was filled", BlockingTest.fillQueue()],
    ["a lease that has ended", Blocking.lease((thread) => thread.run(Tasks.add, 1, 2))],
    ["a closed pool", Effect.andThen(Blocking.run(Tasks.add, 1, 2), BlockingTest.close())]
  ]
  it.effect.each(programs)("D4: the close of a layer with %s says nothing false", ([, program]) => {
    const log = makeLog()
    return Effect.gen(function*() {
      yield* program.pipe(Effect.provide(BlockingTest.layer()), Effect.provide(log.layer))
      assert.deepStrictEqual(log.lines, [])
    })
  })
})
