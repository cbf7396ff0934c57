import { NodeBlocking } from "@effect-blocking/platform-node"
import { BlockingTest } from "@effect-blocking/vitest"
import { assert, describe, it } from "@effect/vitest"
import { Effect, Layer } from "effect"
import { Blocking } from "effect-blocking"
import { TestClock } from "effect/testing"
import * as Tasks from "./fixtures/tasks.ts"
import { dies, reasonOf } from "./utils/effects.ts"

/** Every option of a pool, with values that all layers accept. */
const all = {
  minThreads: 0,
  maxThreads: 1,
  keepAlive: "1 minute",
  queueCapacity: 0,
  onFull: "fail",
  shutdownTimeout: "2 seconds",
  gracePeriod: 100,
  terminateTimeout: { seconds: 1 },
  isolation: "process",
  threadName: "pool",
  threadData: { region: "eu" },
  resourceLimits: { maxOldGenerationSizeMb: 64, maxYoungGenerationSizeMb: 16, codeRangeSizeMb: 16, stackSizeMb: 1 },
  env: { NAME: "value", NONE: undefined },
  execArgv: ["--no-warnings"],
  recycle: { tasks: 2, heapMb: 64, age: "1 hour" },
  preload: [Tasks.add, import.meta.url]
} satisfies Required<NodeBlocking.Options>

describe("options", () => {
  it.effect("one object of options serves NodeBlocking and BlockingTest", () =>
    Effect.gen(function*() {
      for (const layer of [NodeBlocking.layer(all), BlockingTest.layer(all)]) {
        const { maxThreads, queueCapacity } = yield* Effect.provide(Blocking.stats, layer)
        assert.deepStrictEqual([maxThreads, queueCapacity], [1, 0])
      }
    }))

  it.effect("options that have a meaning in a test take effect", () =>
    Effect.gen(function*() {
      assert.deepStrictEqual(yield* Blocking.run(Tasks.context), { inThread: true, data: "eu" })
      yield* BlockingTest.fillQueue()
      yield* reasonOf(Blocking.run(Tasks.add, 1, 2), "QueueFull")
    }).pipe(Effect.provide(BlockingTest.layer(all))))

  it.effect("recycle replaces a thread after its tasks, and after its age by the clock", () =>
    Effect.gen(function*() {
      const first = yield* Blocking.run(Tasks.query)
      assert.strictEqual(yield* Blocking.run(Tasks.query), first)
      yield* TestClock.adjust(1)
      const second = yield* Blocking.run(Tasks.query)
      assert.notStrictEqual(second, first)
      assert.include(Tasks.releases, first)
      yield* TestClock.adjust("1 hour")
      assert.notStrictEqual(yield* Blocking.run(Tasks.query), second)
      assert.include(Tasks.releases, second)
    }).pipe(
      Effect.provide(BlockingTest.layer({ maxThreads: 1, keepAlive: Infinity, recycle: { tasks: 2, age: "1 hour" } }))
    ))

  const cyclic = new Map<string, unknown>([["on", () => {}]])
  const refused: ReadonlyArray<readonly [options: object, message: string]> = [
    [{ maxThreads: 0 }, "maxThreads must be an integer of at least 1, not 0"],
    [{ maxThreads: "2" }, "maxThreads must be an integer of at least 1, not '2'"],
    [{ minThreads: 5 }, "minThreads must be at most maxThreads, which is 4, not 5"],
    [{ queueCapacity: -1 }, "queueCapacity must be an integer of at least 0, not -1"],
    [{ onFull: "drop" }, "onFull must be \"suspend\" or \"fail\", not 'drop'"],
    [{ keepAlive: Number.NaN }, "keepAlive must be a duration, such as \"2 seconds\", not NaN"],
    [{ keepAlive: "-1 seconds" }, "keepAlive must be a duration, such as \"2 seconds\", not '-1 seconds'"],
    [
      { shutdownTimeout: Infinity },
      "shutdownTimeout must be a finite duration (it bounds the shutdown of the pool), such as \"2 seconds\", not Infinity"
    ],
    [
      { threadData: cyclic },
      "threadData must be cloneable (DataCloneError: () => {} could not be cloned.), not Map(1) { 'on' => [Function (anonymous)] }"
    ],
    [{ recycle: { age: 1 } }, "recycle.age must be a duration of at least a second, not 1"],
    [{ preload: [3] }, "preload must be a list of tasks or of module urls (import.meta.resolve makes one), not 3"],
    [{ execArgv: "--x" }, "execArgv must be a list of flags, such as [\"--expose-gc\"], not '--x'"],
    [{ isolation: "fork" }, "isolation must be \"thread\" or \"process\", not 'fork'"]
  ]
  it.effect.each(refused)(
    "a bad option is a defect, and NodeBlocking refuses the same: %o",
    ([options, message]) =>
      Effect.gen(function*() {
        const defects = yield* dies(Effect.provide(Blocking.stats, BlockingTest.layer(options)))
        assert.deepStrictEqual(defects, [`BlockingTest: ${message}`])
        // Its defaults differ.
        const error = yield* Effect.flip(Layer.build(NodeBlocking.layer({ maxThreads: 4, ...options })))
        const [, option, rest] = /^(\S+) (.*)$/.exec(message)!
        assert.strictEqual(error.message, `Option ${option} of pool "effect-blocking/Blocking" ${rest}`)
      }).pipe(Effect.scoped)
  )

  const misnamed: ReadonlyArray<readonly [options: unknown, message: string]> = [
    [{ maxthreads: 2 }, "has no option \"maxthreads\"; did you mean \"maxThreads\"?"],
    [{ maxThreads: 0, max_threads: 2 }, "has no option \"max_threads\"; did you mean \"maxThreads\"?"],
    [{ recycle: { task: 1 } }, "has no option \"recycle.task\"; did you mean \"recycle.tasks\"?"],
    [null, "takes its options as an object, { maxThreads: … }, not null"]
  ]
  it.effect.each(misnamed)(
    "an option that no pool has is a defect, and NodeBlocking refuses it: %o",
    ([options, message]) =>
      Effect.gen(function*() {
        const layer = BlockingTest.layer(options as BlockingTest.Options)
        assert.deepStrictEqual(yield* dies(Effect.provide(Blocking.stats, layer)), [`BlockingTest ${message}`])
        const error = yield* Effect.flip(Layer.build(NodeBlocking.layer(options as NodeBlocking.Options)))
        assert.strictEqual(error.message, `Pool "effect-blocking/Blocking" ${message}`)
      }).pipe(Effect.scoped)
  )
})
