import { assert, describe, it } from "@effect/vitest"
import { Effect, Fiber } from "effect"
import { Task } from "effect-blocking"
import { mkdtempSync, readFileSync, rmSync } from "node:fs"
import { tmpdir } from "node:os"
import { join } from "node:path"
import * as moves from "./fixtures/moves.ts"
import * as processes from "./fixtures/processes.ts"
import * as tasks from "./fixtures/tasks.ts"
import * as FileGate from "./utils/fileGate.ts"
import * as Gate from "./utils/gate.ts"
import { reasonOf, withPool } from "./utils/pool.ts"

const ones = () => new Uint8Array(8).fill(1)

describe.each(["thread", "process"] as const)("moving: %s", (isolation) => {
  it.live("S3: a move whose effect never ran moves nothing in another call", () =>
    withPool({ isolation, maxThreads: 1 }, (pool) =>
      Effect.gen(function*() {
        const bytes = ones()
        void pool.run(moves.sum, Task.move(bytes))
        assert.strictEqual(yield* pool.run(moves.sum, bytes), 8)
        assert.strictEqual(bytes.length, 8)
      })))

  it.live("S3: a value moved from inside of an argument is detached, and arrives whole", () =>
    withPool({ isolation, maxThreads: 1 }, (pool) =>
      Effect.gen(function*() {
        const [first, second] = [ones(), ones()]
        assert.strictEqual(yield* pool.run(moves.sumWithin, { parts: [Task.move(first), second] }), 16)
        assert.deepStrictEqual([first.length, second.length], [0, 8])
      })))

  it.live("S3: a refusal leaves the buffer whole, and the same effect moves it at the next attempt", () =>
    withPool({ isolation, maxThreads: 1, queueCapacity: 0, onFull: "fail" }, (pool) =>
      Effect.gen(function*() {
        const gate = yield* FileGate.make
        const busy = yield* pool.spawn(processes.hold, gate, 1)
        yield* FileGate.arrived(gate)
        const bytes = ones()
        const attempt = pool.run(moves.sum, Task.move(bytes))
        assert.strictEqual((yield* reasonOf(attempt))._tag, "QueueFull")
        assert.strictEqual(bytes.length, 8)
        FileGate.open(gate)
        yield* busy.join
        assert.strictEqual(yield* attempt, 8)
        assert.strictEqual(bytes.length, 0)
      })))

  it.live("S3: an interruption while the submitter is suspended leaves the buffer whole", () =>
    withPool({ isolation, maxThreads: 1, queueCapacity: 0 }, (pool) =>
      Effect.gen(function*() {
        const gate = yield* FileGate.make
        const busy = yield* pool.spawn(processes.hold, gate, 1)
        yield* FileGate.arrived(gate)
        const bytes = ones()
        const waiting = yield* Effect.forkChild(pool.run(moves.sum, Task.move(bytes)), { startImmediately: true })
        assert.strictEqual((yield* pool.stats).suspended, 1)
        yield* Fiber.interrupt(waiting)
        assert.strictEqual(bytes.length, 8)
        FileGate.open(gate)
        yield* busy.join
        assert.strictEqual(yield* pool.run(moves.sum, bytes), 8)
        assert.strictEqual(bytes.length, 8)
      })))

  it.live("S3: arguments stay as at the call, although their owner changes them while it is suspended", () =>
    withPool({ isolation, maxThreads: 1, queueCapacity: 0 }, (pool) =>
      Effect.gen(function*() {
        const gate = yield* FileGate.make
        const busy = yield* pool.spawn(processes.hold, gate, 1)
        yield* FileGate.arrived(gate)
        const numbers = [1, 2]
        const waiting = yield* Effect.forkChild(pool.run(tasks.sum, numbers), { startImmediately: true })
        numbers.push(100)
        FileGate.open(gate)
        yield* busy.join
        assert.strictEqual(yield* Fiber.join(waiting), 3)
      })))

  it.live("S3: a value that cannot be transferred is copied: the body runs, once, and the next task runs", () =>
    withPool({ isolation, maxThreads: 1 }, (pool) =>
      Effect.gen(function*() {
        const folder = mkdtempSync(join(tmpdir(), "moving-"))
        yield* Effect.addFinalizer(() => Effect.sync(() => rmSync(folder, { recursive: true })))
        const path = join(folder, "ran")
        const memory = moves.wasmMemory()
        assert.strictEqual(yield* pool.run(moves.record, Task.move(memory), path), 65_536)
        assert.strictEqual(memory.byteLength, 65_536)
        assert.strictEqual(readFileSync(path, "utf8"), "ran\n")
        const { plain, wasm } = yield* pool.run(moves.returnUntransferable)
        assert.deepStrictEqual([wasm.length, plain.length], [65_536, 4])
        // The next one is reported as well, and runs on the same thread.
        yield* Effect.all([pool.run(moves.returnUntransferable), pool.run(moves.keptLength)], { concurrency: 2 })
        assert.deepInclude(yield* pool.stats, { threadsStarted: 1, running: [] })
      })))

  it.live("S4: a marked result that cannot be read fails its own task, and keeps the thread", () =>
    withPool({ isolation, maxThreads: 1 }, (pool) =>
      Effect.gen(function*() {
        const reason = yield* reasonOf(pool.run(moves.markUnreadable))
        assert.deepInclude(reason, { _tag: "NotCloneable", side: "success" })
        assert.strictEqual(yield* pool.run(moves.keptLength), 8)
        assert.strictEqual((yield* pool.stats).threadsStarted, 1)
      })))

  it.live("S3: a mark ends with its body, whether that throws or returns something else", () =>
    withPool({ isolation, maxThreads: 1 }, (pool) =>
      Effect.gen(function*() {
        assert.strictEqual((yield* reasonOf(pool.run(moves.markAndThrow)))._tag, "Panicked")
        assert.strictEqual((yield* pool.run(moves.returnKept)).length, 8)
        assert.strictEqual(yield* pool.run(moves.keptLength), 8, "the result was copied")
        assert.deepStrictEqual(yield* pool.run(moves.markAndKeep), { kept: 8 })
        assert.strictEqual(yield* pool.run(moves.keptLength), 8)
        assert.strictEqual((yield* pool.run(moves.returnKept)).length, 8)
        assert.strictEqual(yield* pool.run(moves.keptLength), 8)
      })))
})

describe("arguments", () => {
  it.live("S3: shared memory that is marked stays shared, as an argument and as a result", () =>
    withPool({ maxThreads: 1 }, (pool) =>
      Effect.gen(function*() {
        const shared = new SharedArrayBuffer(4)
        const { buffer, view } = yield* pool.run(moves.fillShared, Task.move(shared))
        assert.deepStrictEqual([...new Uint8Array(shared)], [1, 1, 1, 1])
        new Uint8Array(shared).fill(2)
        assert.deepStrictEqual([...new Uint8Array(buffer), ...view], [2, 2, 2, 2, 2, 2, 2, 2])
      })))

  it.live("S3: a task taken back from an unresponsive thread has the arguments of its call", () =>
    withPool({ maxThreads: 2 }, (pool) =>
      Effect.gen(function*() {
        yield* pool.prewarm(2)
        yield* pool.run(tasks.sum, [1])
        const gate = Gate.make()
        yield* pool.run(moves.blockLater, gate)
        yield* Gate.arrived(gate)
        // The thread that became idle last gets the task, and is blocked.
        const numbers = [1, 2]
        const handle = yield* pool.spawnDetached(tasks.sum, numbers)
        numbers.push(100)
        assert.strictEqual(yield* handle.join, 3)
        Gate.open(gate)
      })))
})
