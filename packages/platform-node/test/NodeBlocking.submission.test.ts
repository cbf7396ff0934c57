import { assert, describe, it } from "@effect/vitest"
import { Deferred, Effect, Fiber } from "effect"
import { Task } from "effect-blocking"
import { threadId } from "node:worker_threads"
import * as tasks from "./fixtures/tasks.ts"
import * as Gate from "./utils/gate.ts"
import { reasonOf, withPool } from "./utils/pool.ts"

describe("submission", () => {
  it.live("S1: the body runs on another thread, and the event loop goes on meanwhile", () =>
    withPool({}, (pool) =>
      Effect.gen(function*() {
        assert.notStrictEqual(yield* pool.run(tasks.whereAmI), threadId)
        const gate = Gate.make()
        const fiber = yield* Effect.forkChild(pool.run(tasks.hold, gate, 1))
        yield* Gate.arrived(gate)
        // The body blocks its thread: if that were this thread, the timer could not fire.
        yield* Effect.sleep(1)
        assert.isUndefined(fiber.pollUnsafe())
        Gate.open(gate)
        assert.strictEqual(yield* Fiber.join(fiber), 1)
      })))

  it.live("S2: tasks start in order of submission", () =>
    withPool({ maxThreads: 1 }, (pool) =>
      Effect.gen(function*() {
        const cells = new Int32Array(new SharedArrayBuffer(4 * 101))
        const order = Array.from({ length: 100 }, (_, i) => i + 1)
        yield* Effect.forEach(order, (n) => pool.run(tasks.log, cells, n), { concurrency: "unbounded" })
        assert.deepStrictEqual(Array.from(cells.subarray(1)), order)
      })))

  it.live("S2: a long task delays no other while another thread is free or can be started", () =>
    withPool({ maxThreads: 2 }, (pool) =>
      Effect.gen(function*() {
        const gate = Gate.make()
        const long = yield* Effect.forkChild(pool.run(tasks.hold, gate, 1))
        const short = yield* Effect.forEach([1, 2, 3, 4], (n) => pool.run(tasks.add, n, n), { concurrency: 4 })
        assert.deepStrictEqual(short, [2, 4, 6, 8])
        assert.isUndefined(long.pollUnsafe())
        Gate.open(gate)
        yield* Fiber.join(long)
      })))

  it.live("S3: a change of an argument after the submission does not reach the body", () =>
    withPool({ maxThreads: 1 }, (pool) =>
      Effect.gen(function*() {
        const gate = Gate.make()
        yield* pool.spawn(tasks.hold, gate, 0)
        const queued = [1, 2]
        const handle = yield* pool.spawn(tasks.sum, queued)
        queued.push(100)
        Gate.open(gate)
        assert.strictEqual(yield* handle.join, 3)
        const direct = [1, 2]
        const handle2 = yield* pool.spawn(tasks.sum, direct)
        direct.push(100)
        assert.strictEqual(yield* handle2.join, 3)
      })))

  it.each(["text", {}, [new ArrayBuffer(1)], null])(
    "S3: Task.move refuses a value that cannot be moved: %o",
    (value) => {
      assert.throws(() => Task.move(value as object), /^Task\.move takes a buffer, a view of one or a port, not /)
    }
  )

  it.live("S3: Task.move detaches at submission and copies nothing, there and back", () =>
    withPool({ maxThreads: 1 }, (pool) =>
      Effect.gen(function*() {
        const gate = Gate.make()
        yield* pool.spawn(tasks.hold, gate, 0)
        const bytes = new Uint8Array(1024)
        const handle = yield* pool.spawn(tasks.lengthOf, Task.move(bytes))
        assert.strictEqual(bytes.byteLength, 0, "detached while the task is still queued")
        Gate.open(gate)
        assert.strictEqual(yield* handle.join, 1024)

        const buffer = new ArrayBuffer(64)
        assert.strictEqual(yield* pool.run(tasks.lengthOf, Task.move(buffer)), 64)
        assert.strictEqual(buffer.byteLength, 0)

        const result = yield* pool.run(tasks.moveBack, 2048)
        assert.deepStrictEqual([result.bytes.byteLength, result.bytes[2047]], [2048, 7])
        assert.strictEqual(yield* pool.run(tasks.keptLength), 0, "detached in the thread")
      })))

  it.live("S4: an argument that cannot cross fails its own task, by its path, and takes no thread", () =>
    withPool({ maxThreads: 1 }, (pool) =>
      Effect.gen(function*() {
        const bad = { rows: [{ id: 1, onDone: () => {} }] } as unknown as ReadonlyArray<number>
        const reason = yield* reasonOf(pool.run(tasks.sum, bad))
        assert.deepInclude(reason, { _tag: "NotCloneable", side: "argument", path: "arguments[0].rows[0].onDone" })
        assert.strictEqual((yield* pool.stats).threadsStarted, 0)
        assert.strictEqual(yield* pool.run(tasks.add, 1, 1), 2)
        // With an idle thread, too.
        const again = yield* reasonOf(pool.run(tasks.sum, bad))
        assert.deepInclude(again, { _tag: "NotCloneable", path: "arguments[0].rows[0].onDone" })
        const { idleThreads, threadsStarted } = yield* pool.stats
        assert.deepStrictEqual({ idleThreads, threadsStarted }, { idleThreads: 1, threadsStarted: 1 })
      })))

  it.live("S4: a result that cannot cross fails its own task, by its path, and keeps the thread", () =>
    withPool({ maxThreads: 1 }, (pool) =>
      Effect.gen(function*() {
        const thread = yield* pool.run(tasks.whereAmI)
        const reason = yield* reasonOf(pool.run(tasks.uncloneableResult))
        assert.deepInclude(reason, { _tag: "NotCloneable", side: "success", path: "result.rows[0].toJSON" })
        const promise = yield* reasonOf(pool.run(tasks.promised))
        assert.deepInclude(promise, { _tag: "NotCloneable", path: "result" })
        assert.include(promise.message, "a task body is synchronous")
        assert.strictEqual(yield* pool.run(tasks.whereAmI), thread)
      })))

  it.live("S4: a pooled Buffer is copied, and its neighbours are neither sent nor detached", () =>
    withPool({ maxThreads: 1 }, (pool) =>
      Effect.gen(function*() {
        const pooled = Buffer.from("hello")
        const neighbour = Buffer.from("neighbour")
        assert.strictEqual(pooled.buffer, neighbour.buffer, "both lie in Node's shared slab")
        assert.strictEqual(yield* pool.run(tasks.lengthOf, Task.move(pooled)), 5)
        assert.strictEqual(yield* pool.run(tasks.bufferLength, pooled), 5)
        assert.strictEqual(pooled.toString() + neighbour.toString(), "helloneighbour")
      })))

  it.live("S5: a full queue suspends the submitter until there is room", () =>
    withPool({ maxThreads: 1, queueCapacity: 1 }, (pool) =>
      Effect.gen(function*() {
        const gate = Gate.make()
        const first = yield* pool.spawn(tasks.hold, gate, 1)
        yield* Gate.arrived(gate)
        const second = yield* pool.spawn(tasks.add, 1, 1)
        const spawned = yield* Deferred.make<void>()
        const third = yield* Effect.forkChild(
          pool.spawn(tasks.add, 2, 2).pipe(Effect.tap(() => Deferred.succeed(spawned, undefined)))
        )
        yield* Effect.yieldNow
        const { queueDepth, suspended } = yield* pool.stats
        assert.deepStrictEqual({ queueDepth, suspended }, { queueDepth: 1, suspended: 1 })
        assert.isFalse(Deferred.isDoneUnsafe(spawned))
        Gate.open(gate)
        const handle = yield* Fiber.join(third)
        assert.deepStrictEqual([yield* first.join, yield* second.join, yield* handle.join], [1, 2, 4])
      })))

  it.live("S5: a suspended submitter can be interrupted, and its task never runs", () =>
    withPool({ maxThreads: 1, queueCapacity: 0 }, (pool) =>
      Effect.gen(function*() {
        const gate = Gate.make()
        const marked = Gate.make()
        // Without a queue there is room for as many tasks as threads.
        const first = yield* pool.spawn(tasks.hold, gate, 1)
        const fiber = yield* Effect.forkChild(pool.run(tasks.mark, marked))
        yield* Effect.yieldNow
        assert.strictEqual((yield* pool.stats).suspended, 1)
        yield* Fiber.interrupt(fiber)
        assert.strictEqual((yield* pool.stats).suspended, 0)
        Gate.open(gate)
        yield* first.join
        yield* pool.awaitIdle
        assert.strictEqual(Gate.arrivals(marked), 0)
      })))

  it.live("S5: with onFull \"fail\" a full queue fails with QueueFull", () =>
    withPool({ maxThreads: 1, queueCapacity: 1, onFull: "fail" }, (pool) =>
      Effect.gen(function*() {
        const gate = Gate.make()
        yield* pool.spawn(tasks.hold, gate, 1)
        yield* Gate.arrived(gate)
        yield* pool.spawn(tasks.add, 1, 1)
        const refused = yield* reasonOf(pool.run(tasks.add, 2, 2))
        assert.deepInclude(refused, { _tag: "QueueFull", capacity: 1 })
        assert.deepInclude(yield* reasonOf(pool.spawn(tasks.add, 2, 2)), { _tag: "QueueFull" })
        Gate.open(gate)
      })))

  it.live("queueTimeLimit fails a task that is not started in time, and it never runs", () =>
    withPool({ maxThreads: 1, queueCapacity: 1 }, (pool) =>
      Effect.gen(function*() {
        const gate = Gate.make()
        const marked = Gate.make()
        yield* pool.spawn(tasks.hold, gate, 1)
        yield* Gate.arrived(gate)
        const impatient = Task.with(tasks.mark, { queueTimeLimit: "5 millis" })
        // One is queued, the other is suspended: the limit holds for both.
        const reasons = yield* Effect.all([
          reasonOf(pool.run(impatient, marked)),
          reasonOf(pool.run(impatient, marked))
        ], { concurrency: 2 })
        assert.deepInclude(reasons[0], { _tag: "QueueTimedOut", limitMillis: 5 })
        assert.deepInclude(reasons[1], { _tag: "QueueTimedOut", limitMillis: 5 })
        Gate.open(gate)
        yield* pool.awaitIdle
        assert.strictEqual(Gate.arrivals(marked), 0)
      })))
})
