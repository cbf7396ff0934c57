/** Tasks that travel in batches, with an unexpected one among them. */
import { assert, describe, it } from "@effect/vitest"
import { Effect, Fiber } from "effect"
import type { Blocking } from "effect-blocking"
import * as tasks from "./fixtures/tasks.ts"
import * as Gate from "./utils/gate.ts"
import { reasonOf, withPool } from "./utils/pool.ts"

/** Lets a pool learn that the task is quick, then queues these behind a held thread and releases them at once. */
const inOneBatch = Effect.fnUntraced(function*(
  pool: Blocking.Pool,
  kinds: ReadonlyArray<"quick" | "text" | "spin" | "exit" | "hold">,
  gate: Gate.Gate
) {
  const [runs, unused, before] = [Gate.make(), Gate.make(), Gate.make()]
  for (let i = 0; i < 50; i++) yield* pool.run(tasks.moody, "quick", runs, unused)
  Atomics.store(runs, 0, 0)
  const held = yield* pool.spawnDetached(tasks.hold, before, 0)
  yield* Gate.arrived(before)
  const handles = yield* Effect.forEach(kinds, (kind) => pool.spawnDetached(tasks.moody, kind, runs, gate))
  Gate.open(before)
  yield* held.join
  return { handles, runs }
})

const around = <A>(kind: A) =>
  [...Array<"quick" | "text">(5).fill("quick"), "text", "quick", kind, ...Array<"quick">(6).fill("quick")] as const

const expected = [1, 1, 1, 1, 1, "one", 1]

describe("batches", () => {
  it.live("C4: tasks that ended before a terminated one keep their results, those behind it run elsewhere", () =>
    withPool({ maxThreads: 1, gracePeriod: "1 millis" }, (pool) =>
      Effect.gen(function*() {
        const started = Gate.make()
        const { handles, runs } = yield* inOneBatch(pool, around("spin"), started)
        yield* Gate.arrived(started)
        yield* handles[7]!.abort
        assert.deepInclude(yield* reasonOf(handles[7]!.join), { _tag: "Cancelled", stopped: "Terminated" })
        assert.deepStrictEqual(yield* Effect.forEach(handles.slice(0, 7), (_) => _.join), expected)
        assert.deepStrictEqual(yield* Effect.forEach(handles.slice(8), (_) => _.join), [1, 1, 1, 1, 1, 1])
        assert.strictEqual(runs[0], 14, "each ran once")
      })))

  it.live("F1: a crash in the middle of a batch ends its own task only, and the others run exactly once", () =>
    withPool({ maxThreads: 1 }, (pool) =>
      Effect.gen(function*() {
        const { handles, runs } = yield* inOneBatch(pool, around("exit"), Gate.make())
        assert.deepInclude(yield* reasonOf(handles[7]!.join), { _tag: "WorkerExited", exitCode: 5 })
        assert.deepStrictEqual(yield* Effect.forEach(handles.slice(0, 7), (_) => _.join), expected)
        assert.deepStrictEqual(yield* Effect.forEach(handles.slice(8), (_) => _.join), [1, 1, 1, 1, 1, 1])
        assert.strictEqual(runs[0], 14, "each ran once")
      })))

  it.live("S2: tasks behind one that turns out long are moved to another thread", () =>
    withPool({ maxThreads: 2, keepAlive: "1 minute" }, (pool) =>
      Effect.gen(function*() {
        const [gate, other] = [Gate.make(), Gate.make()]
        // The second thread is busy while the batch is dispatched, and free afterwards.
        const busy = yield* pool.spawn(tasks.hold, other, 0)
        yield* Gate.arrived(other)
        const { handles } = yield* inOneBatch(pool, around("hold"), gate)
        yield* Gate.arrived(gate)
        Gate.open(other)
        yield* busy.join
        assert.deepStrictEqual(yield* Effect.forEach(handles.slice(0, 7), (_) => _.join), expected)
        assert.deepStrictEqual(yield* Effect.forEach(handles.slice(8), (_) => _.join), [1, 1, 1, 1, 1, 1])
        assert.strictEqual((yield* handles[7]!.status)._tag, "Running")
        Gate.open(gate)
        assert.strictEqual(yield* handles[7]!.join, 2)
      })))

  it.live("C1: a task in a batch that is aborted before its turn never runs", () =>
    withPool({ maxThreads: 1 }, (pool) =>
      Effect.gen(function*() {
        const gate = Gate.make()
        const { handles, runs } = yield* inOneBatch(pool, around("hold"), gate)
        yield* Gate.arrived(gate)
        yield* handles[9]!.abort
        assert.deepInclude(yield* reasonOf(handles[9]!.join), { _tag: "Cancelled", stage: "Queued" })
        Gate.open(gate)
        for (const handle of [...handles.slice(0, 9), ...handles.slice(10)]) yield* handle.join
        assert.strictEqual(runs[0], 13)
      })))

  it.live("F5: ten thousand tasks at once, with aborts among them, each end once", () =>
    withPool({ maxThreads: 2, queueCapacity: 100 }, (pool) =>
      Effect.gen(function*() {
        // No more at a time: Effect 4.1 interrupts the fibers of a bounded `forEach` one within the
        // other, and if the test ran out of time, a thousand would overflow the stack and abort Node.
        const results = yield* Effect.forEach(
          Array.from({ length: 10_000 }, (_, i) => i),
          (i) =>
            i % 7 === 3
              ? Effect.flatMap(Effect.forkChild(pool.run(tasks.add, i, 0)), (fiber) =>
                Effect.as(Fiber.interrupt(fiber), 0))
              : pool.run(tasks.add, i, 1),
          { concurrency: 200 }
        )
        results.forEach((result, i) =>
          assert.strictEqual(result, i % 7 === 3 ? 0 : i + 1)
        )
      })))
})
