import { NodeBlocking } from "@effect-blocking/platform-node"
import { assert, describe, it } from "@effect/vitest"
import { Config, ConfigProvider, Effect, Fiber, Layer, Schedule } from "effect"
import { Blocking } from "effect-blocking"
import { availableParallelism } from "node:os"
import * as tasks from "./fixtures/tasks.ts"
import * as Gate from "./utils/gate.ts"
import { reasonOf, withPool } from "./utils/pool.ts"

describe("threads", () => {
  it.live("P1: threads start on demand, up to maxThreads", () =>
    withPool({ maxThreads: 2 }, (pool) =>
      Effect.gen(function*() {
        const gate = Gate.make()
        const fibers = yield* Effect.forEach([1, 2, 3], (n) => Effect.forkChild(pool.run(tasks.hold, gate, n)))
        yield* Gate.arrived(gate, 2)
        const { queueDepth, running, threads, threadsStarted } = yield* pool.stats
        assert.deepStrictEqual(
          { queueDepth, running: running.map((_) => _.task), threads, threadsStarted },
          { queueDepth: 1, running: ["hold", "hold"], threads: 2, threadsStarted: 2 }
        )
        Gate.open(gate)
        assert.deepStrictEqual(yield* Effect.forEach(fibers, Fiber.join), [1, 2, 3])
      })))

  it.live("P1: an idle thread retires after keepAlive and releases its threadLocal values", () =>
    withPool({ keepAlive: "5 millis" }, (pool) =>
      Effect.gen(function*() {
        const released = Gate.make()
        const first = yield* pool.run(tasks.releaseTo, released)
        yield* Gate.arrived(released)
        assert.notStrictEqual(yield* pool.run(tasks.whereAmI), first)
      })))

  it.live("P1: minThreads are started with the pool and stay", () =>
    withPool({ minThreads: 1, maxThreads: 2, keepAlive: 0 }, (pool) =>
      Effect.gen(function*() {
        const gate = Gate.make()
        yield* pool.prewarm(1)
        assert.strictEqual((yield* pool.stats).threadsStarted, 1)
        // Two tasks at once take two threads.
        const held = yield* Effect.forkChild(
          Effect.all([pool.run(tasks.hold, gate, 0), pool.run(tasks.hold, gate, 0)], { concurrency: "unbounded" })
        )
        yield* Gate.arrived(gate, 2)
        Gate.open(gate)
        yield* Fiber.join(held)
        // The surplus retires, and the remaining threads count as prewarmed.
        const { idleThreads, threadsStarted } = yield* Effect.repeat(pool.stats, {
          until: ({ threads }) => threads === 1,
          schedule: Schedule.spaced("5 millis")
        })
        assert.strictEqual(idleThreads, 1)
        yield* pool.prewarm(1)
        assert.deepInclude(yield* pool.stats, { threads: 1, threadsStarted })
      })))

  it.live("P1: values of threadLocal are made once per thread", () =>
    withPool({ maxThreads: 1 }, (pool) =>
      Effect.gen(function*() {
        const counts = yield* Effect.all([pool.run(tasks.countOnThread), pool.run(tasks.countOnThread)])
        assert.deepStrictEqual(counts, [1, 2])
      })))

  it.live("P1: a shutdown releases threadLocal values", () =>
    Effect.gen(function*() {
      const released = Gate.make()
      yield* withPool({}, (pool) => pool.run(tasks.releaseTo, released))
      assert.strictEqual(Gate.arrivals(released), 1)
    }))

  it.live("P2: a pool that never runs a task starts no thread", () =>
    withPool({}, (pool) =>
      Effect.gen(function*() {
        const { threads, threadsStarted } = yield* pool.stats
        assert.deepStrictEqual({ threads, threadsStarted }, { threads: 0, threadsStarted: 0 })
      })))

  it.live("P3: two pools share neither threads nor queue", () =>
    withPool({ maxThreads: 1 }, (first) =>
      withPool({ maxThreads: 1 }, (second) =>
        Effect.gen(function*() {
          const gate = Gate.make()
          const held = yield* Effect.forkChild(first.run(tasks.hold, gate, 1))
          yield* Gate.arrived(gate)
          assert.strictEqual(yield* second.run(tasks.add, 1, 1), 2)
          assert.strictEqual((yield* second.stats).submitted, 1)
          Gate.open(gate)
          yield* Fiber.join(held)
        }))))

  it.live("P4: maxThreads follows the available parallelism by default", () =>
    Effect.gen(function*() {
      const { maxThreads } = yield* Blocking.stats
      assert.strictEqual(maxThreads, Math.max(4, availableParallelism()))
    }).pipe(Effect.provide(NodeBlocking.layer())))

  it.live("prewarm waits for ready threads, awaitIdle for the end of all work", () =>
    withPool({ maxThreads: 2, preload: [tasks.add] }, (pool) =>
      Effect.gen(function*() {
        yield* pool.prewarm(1)
        assert.strictEqual((yield* pool.stats).idleThreads, 1)
        yield* pool.prewarm(5)
        assert.strictEqual((yield* pool.stats).idleThreads, 2)
        const gate = Gate.make()
        yield* pool.spawn(tasks.hold, gate, 1)
        const idle = yield* Effect.forkChild(pool.awaitIdle, { startImmediately: true })
        assert.isUndefined(idle.pollUnsafe())
        Gate.open(gate)
        yield* Fiber.join(idle)
        assert.strictEqual((yield* pool.stats).outcomes.Succeeded, 1)
      })))

  it.live("prewarm without a number has all threads ready", () =>
    withPool({ maxThreads: 2 }, (pool) =>
      Effect.gen(function*() {
        yield* pool.prewarm()
        assert.strictEqual((yield* pool.stats).idleThreads, 2)
      })))

  it.live("prewarm fails with LoadFailed when a preload does not load", () =>
    withPool({ preload: [new URL("./fixtures/broken.ts", import.meta.url).href] }, (pool) =>
      Effect.gen(function*() {
        const reason = yield* reasonOf(pool.prewarm(1))
        assert.strictEqual(reason._tag, "LoadFailed")
        assert.include(reason.message, "this module does not load")
      })))

  it.live("threadData reaches every body", () =>
    withPool({ threadData: { seed: 42 } }, (pool) =>
      Effect.gen(function*() {
        assert.deepStrictEqual(yield* pool.run(tasks.threadData), { seed: 42 })
      })))
})

describe("layers", () => {
  class Cpu extends Blocking.Pool<Cpu>()("test/Cpu") {}

  it.live("a named pool lives beside the default one", () =>
    Effect.gen(function*() {
      assert.strictEqual(yield* Cpu.run(tasks.add, 1, 2), 3)
      assert.strictEqual(yield* Blocking.run(tasks.add, 3, 4), 7)
      const handle = yield* Effect.scoped(Effect.flatMap(Cpu.spawn(tasks.add, 1, 1), (handle) => handle.join))
      assert.strictEqual(handle, 2)
      const detached = yield* Cpu.spawnDetached(tasks.add, 2, 2)
      assert.strictEqual(yield* detached.join, 4)
      const { key, maxThreads } = yield* Cpu.stats
      assert.deepStrictEqual({ key, maxThreads }, { key: "test/Cpu", maxThreads: 1 })
    }).pipe(
      Effect.provide(Layer.merge(NodeBlocking.layer(), NodeBlocking.layerPool(Cpu, { maxThreads: 1 })))
    ))

  it.live("layerConfig reads options from the configuration", () =>
    Effect.gen(function*() {
      assert.strictEqual((yield* Blocking.stats).maxThreads, 3)
    }).pipe(
      Effect.provide(NodeBlocking.layerConfig({ maxThreads: Config.Int("THREADS") })),
      Effect.provide(ConfigProvider.layer(ConfigProvider.fromUnknown({ THREADS: "3" })))
    ))

  const refused: ReadonlyArray<readonly [option: string, options: object, expected: string]> = [
    ["maxThreads", { maxThreads: 0 }, "an integer of at least 1"],
    ["maxThreads", { maxThreads: 1.5 }, "an integer of at least 1"],
    ["minThreads", { minThreads: -1 }, "an integer of at least 0"],
    ["minThreads", { minThreads: 3, maxThreads: 2 }, "at most maxThreads, which is 2"],
    ["queueCapacity", { queueCapacity: Number.NaN }, "an integer of at least 0"],
    ["onFull", { onFull: "drop" }, "\"suspend\" or \"fail\""],
    ["keepAlive", { keepAlive: "soon" }, "a duration"],
    ["gracePeriod", { gracePeriod: Infinity }, "a finite duration"],
    ["shutdownTimeout", { shutdownTimeout: "-1 seconds" }, "a finite duration"],
    ["threadData", { threadData: { log: () => {} } }, "cloneable"],
    ["preload", { preload: ["./tasks.ts"] }, "a list of tasks or of module urls"],
    ["resourceLimits.stackSizeMb", { resourceLimits: { stackSizeMb: 0 } }, "a number of MB above 0"],
    [
      "resourceLimits.maxOldGenerationSizeMb",
      { resourceLimits: { maxOldGenerationSizeMb: 1 } },
      "a number of MB, at least 4 (with less, Node aborts the whole program"
    ],
    ["resourceLimits", { resourceLimits: 512 }, "an object, such as { maxOldGenerationSizeMb: 512 }, not 512"],
    ["env", { env: 3 }, "an object of strings, not 3"],
    ["env", { env: { A: 1 } }, "an object of strings, not { A: 1 }"],
    ["keepAlive", { keepAlive: Number.NaN }, "a duration"],
    ["keepAlive", { keepAlive: { seconds: Number.NaN } }, "a duration"],
    ["recycle.tasks", { recycle: { tasks: 0 } }, "an integer of at least 1, not 0"],
    ["recycle.heapMb", { recycle: { heapMb: "4" } }, "a number of MB above 0, not '4'"],
    ["recycle.age", { recycle: { age: 10 } }, "a duration of at least a second, not 10"],
    ["resourceLimits.codeRangeSizeMb", { resourceLimits: { codeRangeSizeMb: Infinity } }, "a number of MB above 0"],
    ["threadName", { threadName: 3 }, "a string, not 3"],
    ["execArgv", { execArgv: "--x" }, "a list of flags, such as [\"--expose-gc\"], not '--x'"],
    ["execArgv", { execArgv: [3] }, "a list of flags"],
    ["preload", { preload: tasks.add }, "a list of tasks or of module urls"],
    ["isolation", { isolation: "fork" }, "\"thread\" or \"process\", not 'fork'"],
    ["recycle", { recycle: 5 }, "an object, such as { tasks: 1000 }, not 5"],
    ["recycle", { recycle: null }, "an object, such as { tasks: 1000 }, not null"]
  ]
  it.live.each(refused)("a bad %s fails the layer: %o", ([option, options, expected]) =>
    Effect.gen(function*() {
      const error = yield* Effect.flip(Effect.provide(Blocking.stats, NodeBlocking.layer(options)))
      assert.strictEqual(error._tag, "InvalidOptions")
      assert.strictEqual(error.option, option)
      assert.include(error.message, `Option ${option} of pool "effect-blocking/Blocking" must be ${expected}`)
    }))

  const misnamed: ReadonlyArray<readonly [options: unknown, option: string, message: string]> = [
    [{ maxthreads: 2 }, "maxthreads", "has no option \"maxthreads\"; did you mean \"maxThreads\"?"],
    [{ maxThreads: 2, max_thread: 2 }, "max_thread", "has no option \"max_thread\"; did you mean \"maxThreads\"?"],
    [{ threads: 2 }, "threads", "has no option \"threads\". It has: maxThreads, minThreads, keepAlive, "],
    [{ recycle: { task: 2 } }, "recycle.task", "has no option \"recycle.task\"; did you mean \"recycle.tasks\"?"],
    [{ recycle: { ms: 2 } }, "recycle.ms", "It has: recycle.tasks, recycle.heapMb, recycle.age"],
    [
      { resourceLimits: { maxOldGenerationSizeMB: 2 } },
      "resourceLimits.maxOldGenerationSizeMB",
      "; did you mean \"resourceLimits.maxOldGenerationSizeMb\"?"
    ],
    ["4", "", "takes its options as an object, { maxThreads: … }, not \"4\""],
    [4, "", "takes its options as an object, { maxThreads: … }, not 4"],
    [[], "", "takes its options as an object, { maxThreads: … }, not Array object"],
    [null, "", "takes its options as an object, { maxThreads: … }, not null"]
  ]
  it.live.each(misnamed)(
    "unknown options fail the layer: %o",
    ([options, option, message]) =>
      Effect.gen(function*() {
        const layers = [
          NodeBlocking.layer(options as NodeBlocking.Options),
          Layer.provideMerge(NodeBlocking.layerPool(Cpu, options as NodeBlocking.Options), NodeBlocking.layer())
        ]
        for (const [i, layer] of layers.entries()) {
          const error = yield* Effect.flip(Effect.provide(Blocking.stats, layer))
          assert.deepInclude(error, { _tag: "InvalidOptions", option })
          assert.include(error.message, `Pool "${["effect-blocking/Blocking", "test/Cpu"][i]}" `)
          assert.include(error.message, message)
        }
      })
  )

  it.live("an option that is undefined or inherited is not given", () =>
    Effect.gen(function*() {
      const options = Object.assign(Object.create({ inherited: 1 }), { maxThreads: 2, threads: undefined })
      const { maxThreads } = yield* Effect.provide(Blocking.stats, NodeBlocking.layer(options))
      assert.strictEqual(maxThreads, 2)
    }))

  it.live("layerConfig takes nested options, and refuses unknown ones", () =>
    Effect.gen(function*() {
      const recycle = { tasks: Config.Int("TASKS") }
      const layer = NodeBlocking.layerConfig({ recycle, resourceLimits: { stackSizeMb: Config.succeed(4) } })
      assert.strictEqual((yield* Effect.provide(Blocking.stats, layer)).threads, 0)
      const misnamed = NodeBlocking.layerConfig({ recycle, maxthreads: Config.Int("TASKS") } as object)
      const error = yield* Effect.flip(Effect.provide(Blocking.stats, misnamed))
      assert.include(error.message, "did you mean \"maxThreads\"?")
    }).pipe(Effect.provide(ConfigProvider.layer(ConfigProvider.fromUnknown({ TASKS: "3" })))))

  it.live("P1: a thread that retires may take any time for a release, and delays no task", () =>
    withPool(
      { maxThreads: 1, keepAlive: "1 millis", gracePeriod: "1 millis", shutdownTimeout: "1 minute" },
      (pool) =>
        Effect.gen(function*() {
          const gate = Gate.make()
          yield* pool.run(tasks.acquiresSlow, gate)
          yield* Gate.arrived(gate)
          assert.strictEqual(yield* pool.run(tasks.add, 1, 1), 2, "on another thread")
          const { threads, threadsStarted } = yield* pool.stats
          assert.strictEqual(threadsStarted, 2)
          assert.isAtLeast(threads, 1, "the releasing thread still exists")
          Gate.open(gate)
        })
    ))

  it.live("P1: threads that were prewarmed retire after keepAlive", () =>
    withPool({ maxThreads: 2, keepAlive: "1 millis" }, (pool) =>
      Effect.gen(function*() {
        yield* pool.prewarm(2)
        yield* Effect.repeat(pool.stats, {
          until: ({ threads }) => threads === 0,
          schedule: Schedule.spaced("1 millis")
        })
      })))
})
