/** Rules that hold on every kind of farm: in this program on simulated and on real threads, and over sockets and a database. */
import { ClusterPool, type ClusterPoolError } from "@effect-blocking/cluster"
import { NodeBlocking } from "@effect-blocking/platform-node"
import { BlockingTest } from "@effect-blocking/vitest"
import { assert, describe, it } from "@effect/vitest"
import { Effect, Exit, Fiber, Layer, Option, Schema } from "effect"
import { JoinError, Task } from "effect-blocking"
import { join } from "node:path"
import * as tasks from "./fixtures/tasks.ts"
import { client, Farm, folder, linesOf, reasonOf, retrySchedule, runner, until } from "./utils/farms.ts"

const local = Layer.orDie(Farm.layerLocal({ retrySchedule }))

interface Backend {
  readonly name: string
  readonly layer: Layer.Layer<Farm>
  /** Whether bodies run in parallel with the test. */
  readonly real: boolean
}

const backends: ReadonlyArray<Backend> = [
  { name: "local on BlockingTest", layer: Layer.provide(local, BlockingTest.layer({ maxThreads: 2 })), real: false },
  {
    name: "local on threads",
    layer: Layer.provide(local, NodeBlocking.layer({ maxThreads: 2 })).pipe(Layer.orDie),
    real: true
  },
  {
    name: "local on processes",
    layer: Layer.provide(local, NodeBlocking.layer({ maxThreads: 1, isolation: "process" })).pipe(Layer.orDie),
    real: true
  },
  { name: "a runner", layer: Layer.unwrap(Effect.map(folder, (folder) => runner(folder))), real: true },
  {
    name: "a client and two runners",
    layer: Layer.unwrap(Effect.map(folder, (folder) =>
      Layer.provide(
        client(folder),
        Layer.mergeAll(
          Layer.effectDiscard(Layer.build(Layer.fresh(runner(folder)))),
          Layer.effectDiscard(Layer.build(Layer.fresh(runner(folder))))
        )
      ))),
    real: true
  }
]

describe.each(backends)("$name", { concurrent: false }, ({ layer, real }) => {
  it.live("N1: a task returns its result, and its errors and values keep their classes", () =>
    Effect.gen(function*() {
      assert.strictEqual(yield* Farm.run(tasks.square, 7), 49)
      assert.strictEqual(yield* Farm.run(tasks.ping), "pong")
      const error = yield* Effect.flip(Farm.run(tasks.square, -1))
      assert.instanceOf(error, tasks.TooSmall)
      assert.deepInclude(error, { n: -1 })
      const day = yield* Farm.run(tasks.tomorrow, new Date(0))
      assert.deepStrictEqual(day, Option.some(new Date(86_400_000)))
    }).pipe(Effect.provide(layer)))

  it.live("N1: a body that throws is a JoinError, as on a pool", () =>
    Effect.gen(function*() {
      const error = yield* Effect.flip(Farm.run(tasks.panics, "no good"))
      assert(JoinError.isJoinError(error))
      assert.strictEqual(error.reason._tag, "Panicked")
      assert.include(error.message, "no good")
    }).pipe(Effect.provide(layer)))

  it.live("N3: a submitted task has a result, and any program with the key finds its receipt", () =>
    Effect.gen(function*() {
      const receipt = yield* Farm.submit(tasks.square, 8, { key: "eight" })
      assert.strictEqual(yield* receipt.await, 64)
      assert.strictEqual(yield* receipt.await, 64)
      const found = yield* Farm.receipt(tasks.square, "eight")
      assert(Option.isSome(found))
      assert.deepStrictEqual(yield* found.value.poll, Option.some(Exit.succeed(64)))
      const status = yield* found.value.status
      assert(Option.isSome(status))
      assert.deepInclude(status.value, { state: "succeeded", executions: 1 })
      assert.isTrue(Option.isNone(yield* Farm.receipt(tasks.square, "nine")))
      const bare = yield* Farm.submit(tasks.ping, { key: "ping" })
      assert.strictEqual(yield* bare.await, "pong")
    }).pipe(Effect.provide(layer)))

  it.live("N3: under a key a task is submitted once", () =>
    Effect.gen(function*() {
      const log = join(yield* folder, "log")
      const submit = Farm.submit(tasks.flaky, { log, failures: 0 }, { key: "once" })
      const receipts = yield* Effect.replicateEffect(submit, 20, { concurrency: "unbounded" })
      const results = yield* Effect.forEach(receipts, (receipt) => receipt.await, { concurrency: "unbounded" })
      assert.deepStrictEqual(new Set(results), new Set([1]))
      const late = yield* submit
      assert.strictEqual(yield* late.await, 1)
      assert.deepStrictEqual(linesOf(log), ["tried"])
    }).pipe(Effect.provide(layer)))

  it.live("N3: a task's own error is its result, and is not tried again", () =>
    Effect.gen(function*() {
      const receipt = yield* Farm.submit(tasks.square, -2, { key: "minus two" })
      const error = yield* Effect.flip(receipt.await)
      assert.instanceOf(error, tasks.TooSmall)
      const status = yield* receipt.status
      assert.deepInclude(Option.getOrThrow(status), { state: "failed", executions: 1 })
    }).pipe(Effect.provide(layer)))

  it.live("N3: a body that panics is tried again, and reads its attempt", () =>
    Effect.gen(function*() {
      const log = join(yield* folder, "log")
      const receipt = yield* Farm.submit(tasks.flaky, { log, failures: 2 }, { key: "flaky" })
      assert.strictEqual(yield* receipt.await, 3)
      assert.deepInclude(Option.getOrThrow(yield* receipt.status), { state: "succeeded", executions: 3 })
      assert.deepInclude(yield* Farm.stats, { repeated: 2 })
    }).pipe(Effect.provide(layer)))

  it.live("N5: a poison task is parked after its attempts, is listed, and can be put back", () =>
    Effect.gen(function*() {
      const log = join(yield* folder, "log")
      const receipt = yield* Farm.submit(tasks.flaky, { log, failures: 3 }, { key: "poison" })
      const reason = yield* reasonOf(receipt.await)
      assert.strictEqual(reason._tag, "Parked")
      assert.deepInclude(reason, { executions: 3 })
      assert.strictEqual((reason as ClusterPoolError.Parked).last?.reason._tag, "Panicked")
      const [parked, ...others] = yield* Farm.parked()
      assert.lengthOf(others, 0)
      assert.deepInclude(parked, { tag: "flaky", key: "poison", executions: 3 })
      assert.include(parked!.last?.message, "try 3")
      assert.isTrue(yield* Farm.putBack(parked!))
      assert.strictEqual(yield* receipt.await, 4)
      assert.isFalse(yield* Farm.putBack(parked!))
      assert.deepStrictEqual(yield* Farm.parked(), [])
    }).pipe(Effect.provide(layer)))

  it.live("N5: a result that does not fit its schema parks its task, without another attempt", () =>
    Effect.gen(function*() {
      const receipt = yield* Farm.submit(tasks.wrong, { key: "wrong" })
      const reason = yield* reasonOf(receipt.await)
      assert.deepInclude(reason, { _tag: "Parked" })
      assert.match(reason.message, /wrong|integer|schema/i)
    }).pipe(Effect.provide(layer)))

  it.live("N6: stats count submitted tasks by state, and list the runners", () =>
    Effect.gen(function*() {
      yield* Effect.forEach([1, 2, -1], (n) =>
        Effect.flatMap(Farm.submit(tasks.square, n, { key: `${n}` }), (receipt) => Effect.exit(receipt.await)))
      const { repeated, runners, submitted } = yield* Farm.stats
      assert.deepStrictEqual(submitted, { pending: 0, succeeded: 2, failed: 1, cancelled: 0, parked: 0 })
      assert.strictEqual(repeated, 0)
      assert.isAtLeast(runners.length, 1)
    }).pipe(Effect.provide(layer)))

  it.live("N1: a task of another farm fails typed, and so does a payload that does not fit", () =>
    Effect.gen(function*() {
      assert.deepInclude(yield* reasonOf(Farm.run(foreign)), { _tag: "UnknownTask", where: "the program" })
      assert.strictEqual((yield* reasonOf(Farm.submit(foreign, { key: "k" })))._tag, "UnknownTask")
      assert.strictEqual((yield* reasonOf(Farm.run(tasks.square, 0.5)))._tag, "NotEncodable")
      const large = "x".repeat(1_000_001)
      assert.deepInclude(yield* reasonOf(Farm.submit(tasks.panics, large, { key: "k" })), {
        _tag: "PayloadTooLarge",
        limit: 1_000_000
      })
    }).pipe(Effect.provide(layer)))

  if (!real) return

  it.live("N1: the options of a derived task hold on its runner", () =>
    Effect.gen(function*() {
      const short = Task.with(tasks.slow, { timeLimit: "1 millis" })
      const error = yield* Effect.flip(Farm.run(short, 60_000))
      assert(JoinError.isJoinError(error))
      assert.deepInclude(error.reason, { _tag: "TimedOut", limitMillis: 1 })
    }).pipe(Effect.provide(layer)))

  it.live("N4: an interruption reaches the body, which ends at its checkpoint", () =>
    Effect.gen(function*() {
      const directory = yield* folder
      const [log, gate] = [join(directory, "log"), join(directory, "gate")]
      const fiber = yield* Effect.forkChild(Farm.run(tasks.gated, { log, gate, name: "a" }))
      yield* until(() => linesOf(log).length === 1)
      yield* Fiber.interrupt(fiber)
      yield* until(() => linesOf(log).length === 2)
      assert.deepStrictEqual(linesOf(log), ["a 1", "a stopped"])
    }).pipe(Effect.provide(layer)))

  it.live("N4: a receipt cancels a waiting and a running task, and never a settled one", () =>
    Effect.gen(function*() {
      const directory = yield* folder
      const [log, gate] = [join(directory, "log"), join(directory, "gate")]
      const running = yield* Farm.submit(tasks.gated, { log, gate, name: "a" }, { key: "a" })
      const waiting = yield* Farm.submit(tasks.gated, { log, gate, name: "b" }, { key: "b", delay: "1 hour" })
      yield* until(() => linesOf(log).length === 1)
      assert.isTrue(yield* running.cancel)
      assert.isTrue(yield* waiting.cancel)
      assert.strictEqual((yield* reasonOf(running.await))._tag, "Cancelled")
      assert.strictEqual((yield* reasonOf(waiting.await))._tag, "Cancelled")
      yield* until(() => linesOf(log).length === 2)
      assert.deepStrictEqual(linesOf(log), ["a 1", "a stopped"])
      const settled = yield* Farm.submit(tasks.square, 3, { key: "three" })
      assert.strictEqual(yield* settled.await, 9)
      assert.isFalse(yield* settled.cancel)
      assert.strictEqual(yield* settled.await, 9)
    }).pipe(Effect.provide(layer)))
})

const foreign = Task.schema(import.meta.url, "foreign", { success: Schema.Void }, () => {})

describe("declarations", () => {
  it("N1: a farm takes only tasks of Task.schema, each under its own tag", () => {
    const made = Task.make(import.meta.url, "made", () => 1)
    assert.throws(
      () => ClusterPool.Service<object>()("test/Made", { tasks: [made as unknown as typeof foreign] }),
      /takes only tasks of Task\.schema.*"made" is of Task\.make/
    )
    const rows = Task.stream(import.meta.url, "rows", function*() {
      yield 1
    })
    assert.throws(
      () => ClusterPool.Service<object>()("test/Rows", { tasks: [rows as unknown as typeof foreign] }),
      /takes only tasks of Task\.schema.*"rows" is a stream/
    )
    assert.throws(
      () => ClusterPool.Service<object>()("test/Nothing", { tasks: [{} as typeof foreign] }),
      /takes only tasks of Task\.schema.*this is no task/
    )
    assert.throws(
      () => ClusterPool.Service<object>()("test/Twice", { tasks: [foreign, { task: tasks.ping, tag: "foreign" }] }),
      /two tasks "foreign"/
    )
  })
})
