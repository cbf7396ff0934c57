/** Values between the program and its pool processes. */
import { NodeBlocking } from "@effect-blocking/platform-node"
import { assert, describe, it, vi } from "@effect/vitest"
import { Effect } from "effect"
import { Task } from "effect-blocking"
import { isDeepStrictEqual } from "node:util"
import { MessageChannel } from "node:worker_threads"
import * as processes from "./fixtures/processes.ts"
import * as FileGate from "./utils/fileGate.ts"
import { reasonOf, withPool } from "./utils/pool.ts"
import { isolation, oneByOne } from "./utils/processes.ts"

vi.setConfig({ testTimeout: 20_000 })

describe("values", oneByOne, () => {
  it.live("S1: the body runs in a separate process, as in a pool thread", () =>
    withPool({
      isolation,
      maxThreads: 1,
      threadName: "isolated",
      threadData: { seed: 1 },
      env: { ...process.env, EFFECT_BLOCKING_TEST: "set" },
      resourceLimits: { maxOldGenerationSizeMb: 100, maxYoungGenerationSizeMb: 30, stackSizeMb: 0.9 }
    }, (pool) =>
      Effect.gen(function*() {
        const { flags, ...environment } = yield* pool.run(processes.environment)
        assert.deepStrictEqual(environment, {
          inPool: true,
          title: "isolated-1",
          data: { seed: 1 },
          variable: "set"
        })
        assert.include(flags, "--max-old-space-size=100 --max-semi-space-size=10 --stack-size=921")
        assert.notStrictEqual(yield* pool.run(processes.pid), process.pid)
      })))

  it.live("S2: tasks start in order of submission, each on a free process", () =>
    withPool({ isolation, maxThreads: 2 }, (pool) =>
      Effect.gen(function*() {
        const gate = yield* FileGate.make
        const held = yield* pool.spawn(processes.hold, gate, 7)
        const [threadId] = yield* FileGate.arrived(gate)
        const sums = yield* Effect.forEach([1, 2, 3, 4], (n) => pool.run(processes.add, n, n), { concurrency: 4 })
        assert.deepStrictEqual(sums, [2, 4, 6, 8])
        assert.deepInclude(yield* held.status, { _tag: "Running", threadId })
        FileGate.open(gate)
        assert.strictEqual(yield* held.join, 7)
      })))

  it.live("S2: tasks known as tiny, sent together, each give their own result", () =>
    withPool({ isolation, maxThreads: 2 }, (pool) =>
      Effect.gen(function*() {
        const numbers = Array.from({ length: 500 }, (_, i) => i)
        const sums = yield* Effect.forEach(numbers, (n) => pool.run(processes.add, n, n), { concurrency: 100 })
        assert.deepStrictEqual(sums, numbers.map((n) => 2 * n))
      })))

  it.live("S2: a task sent to a process that an earlier task keeps busy is moved to another", () =>
    withPool({ isolation, maxThreads: 2 }, (pool) =>
      Effect.gen(function*() {
        const gate = yield* FileGate.make
        yield* pool.run(processes.lingers, gate)
        const [busy] = yield* FileGate.arrived(gate)
        assert.notStrictEqual(yield* pool.run(processes.pid), busy)
        FileGate.open(gate)
      })))

  it.live("values of every size arrive as they were sent, both ways", () =>
    withPool({ isolation, maxThreads: 2 }, (pool) =>
      Effect.gen(function*() {
        // Some by the pipe, some by the file, some too large for the file.
        const lengths = [0, 2 ** 13, 2 ** 15 - 100, 2 ** 15, 2 ** 16, 2 ** 20, 2 ** 22]
        const values = lengths.flatMap((length, i): ReadonlyArray<unknown> => [
          { i, bytes: new Uint8Array(length).map((_, k) => k + (k >> 8) + i) },
          { i, text: `${i}`.padEnd(length, "abc\u{e9}") },
          // A value that a payload cannot represent.
          [i, /x/, new Uint8Array(length).fill(i)]
        ])
        for (const concurrency of [1, 8]) {
          const arrived = yield* Effect.forEach(values, (value) => pool.run(processes.echo, value), { concurrency })
          // Not by a deep assertion, whose diff would take long.
          arrived.forEach((value, i) => assert.isTrue(isDeepStrictEqual(value, values[i]), `value ${i}`))
        }
      })))

  it.live("S3: a moved buffer is detached on its side, and arrives whole, both ways", () =>
    withPool({ isolation, maxThreads: 1 }, (pool) =>
      Effect.gen(function*() {
        const bytes = new Uint8Array(100_000)
        assert.strictEqual(yield* pool.run(processes.lengthOf, Task.move(bytes)), 100_000)
        assert.strictEqual(bytes.byteLength, 0)
        const { bytes: back } = yield* pool.run(processes.moveBack, 100_000)
        assert.deepStrictEqual([back.constructor, back.byteLength, back[99_999]], [Uint8Array, 100_000, 7])
        assert.strictEqual(yield* pool.run(processes.keptLength), 0)
      })))

  const { port1 } = new MessageChannel()
  const onlyThreads: ReadonlyArray<readonly [value: object, detail: string]> = [
    [new Int32Array(new SharedArrayBuffer(8)), "SharedArrayBuffer"],
    [Task.move(port1), "MessagePort"],
    [{ onDone: () => {} }, "cannot be sent to another thread"]
  ]
  it.live.each(onlyThreads)(
    "S4: an argument that cannot cross is NotCloneable, by its path: %o",
    ([value, detail]) =>
      withPool({ isolation, maxThreads: 1 }, (pool) =>
        Effect.gen(function*() {
          const before = yield* pool.run(processes.pid)
          const reason = yield* reasonOf(pool.run(processes.takes, { rows: [value] }))
          assert.deepInclude(reason, { _tag: "NotCloneable", side: "argument" })
          assert.include(reason.message, "arguments[0].rows[0]")
          assert.include(reason.message, detail)
          assert.strictEqual(yield* pool.run(processes.pid), before)
        }))
  )

  it.live("S4: a result that cannot cross fails its own task, by its path, and keeps the process", () =>
    withPool({ isolation, maxThreads: 1 }, (pool) =>
      Effect.gen(function*() {
        const before = yield* pool.run(processes.pid)
        const reason = yield* reasonOf(pool.run(processes.shared))
        assert.deepInclude(reason, { _tag: "NotCloneable", side: "success", path: "result.rows[0].cells" })
        assert.include(reason.message, "SharedArrayBuffer")
        const panic = yield* reasonOf(pool.run(processes.sharedInPanic))
        assert.strictEqual(panic._tag, "Panicked", "a panic is never lost")
        assert.include(panic.message, "with a cell")
        assert.strictEqual(yield* pool.run(processes.pid), before)
      })))

  it.live("messages that a body sends to the program are ignored", () =>
    withPool({ isolation, maxThreads: 1 }, (pool) =>
      Effect.gen(function*() {
        assert.strictEqual(yield* pool.run(processes.sends), 1)
        assert.strictEqual(yield* pool.run(processes.add, 1, 1), 2)
      })))

  it.live("threadData that cannot cross is refused with the options", () =>
    Effect.gen(function*() {
      const error = yield* Effect.flip(Effect.scoped(
        NodeBlocking.make("test", { isolation, threadData: new SharedArrayBuffer(8) })
      ))
      assert.deepInclude(error, { _tag: "InvalidOptions", option: "threadData" })
      const unknown = yield* Effect.flip(Effect.scoped(
        NodeBlocking.make("test", { isolation: "fiber" as "thread" })
      ))
      assert.deepInclude(unknown, { option: "isolation", expected: "\"thread\" or \"process\"" })
    }))
})
