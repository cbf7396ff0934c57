/** The rules of calls from a body to its program, on every backend. */
import { assert, describe, it } from "@effect/vitest"
import { Deferred, Effect, Fiber, Stream } from "effect"
import { type Blocking, Callback, type JoinError } from "effect-blocking"
import { existsSync } from "node:fs"
import { join } from "node:path"
import { type Backend, poolOf, reasonOf } from "./backend.ts"
import * as bodies from "./callbackTasks.ts"

const adds = Effect.provideService(bodies.Add, (a, b) => Effect.succeed(a + b))

const arrayTo = (end: number): ReadonlyArray<number> => Array.from({ length: end }, (_, n) => n)

/** `waits`: a body can wait for what does not answer at once. */
export const callbackContract = (backend: Backend, { waits }: { readonly waits: boolean }): void => {
  const withPool = poolOf(backend)
  /** Lets what a callback does take its time, where that can be. */
  const later = waits ? Effect.yieldNow : Effect.void

  describe(`callback contract: ${backend.name}`, () => {
    it.live("H2: values cross as arguments do, a failure is a Result, a defect a panic", () =>
      withPool({}, (pool) =>
        Effect.gen(function*() {
          const values = new Map<string, unknown>([["a", { b: [1, "x"] }], ["m", new Map([[1, 2]])], ["u", undefined]])
          const run = (id: string): Effect.Effect<unknown, JoinError.JoinError> =>
            pool.run(bodies.find, id).pipe(
              Effect.provideService(bodies.Find, (id) =>
                Effect.andThen(
                  later,
                  id === "dies"
                    ? Effect.die(new Error("a defect"))
                    : values.has(id)
                    ? Effect.succeed(values.get(id))
                    : Effect.fail(new bodies.Missing(id))
                ))
            )
          for (const [id, value] of values) assert.deepStrictEqual(yield* run(id), value)
          assert.strictEqual(yield* run("z"), "nothing called z, true")
          const reason = yield* reasonOf(run("dies"))
          assert.strictEqual(reason._tag, "Panicked")
          assert.include(String((reason as { readonly thrown: unknown }).thrown), "a defect")
          const lost = yield* reasonOf(
            pool.run(bodies.find, "f").pipe(Effect.provideService(bodies.Find, () => Effect.succeed(() => 1)))
          )
          assert.strictEqual(lost._tag, "NotCloneable")
          assert.strictEqual(yield* adds(pool.run(bodies.sum, 100)), 5050)
        })))

    it.live("H5: what is sent arrives in order, all of it before the result", () =>
      withPool({}, (pool) =>
        Effect.gen(function*() {
          for (const count of [1, 63, 300]) {
            const seen: Array<number> = []
            const sent = yield* pool.run(bodies.logs, count).pipe(
              Effect.provideService(bodies.Log, (n) => Effect.andThen(later, Effect.sync(() => void seen.push(n))))
            )
            assert.strictEqual(sent, count)
            assert.deepStrictEqual(seen, arrayTo(count + 1).slice(1))
          }
        })))

    it.live("H5: all that the body of a stream sends is handled, in order, before the stream ends", () =>
      withPool({}, (pool) =>
        Effect.gen(function*() {
          for (const count of [1, 17, 5000]) {
            const seen: Array<number> = []
            const elements = yield* Stream.runCollect(pool.stream(bodies.told, count)).pipe(
              Effect.provideService(bodies.Log, (n) => Effect.andThen(later, Effect.sync(() => void seen.push(n))))
            )
            assert.strictEqual(elements.length, count)
            assert.deepStrictEqual(seen, arrayTo(count + 1).slice(1))
          }
        })))

    it.live("H6: the body of a stream calls, and tells, between its elements", () =>
      withPool({}, (pool) =>
        Effect.gen(function*() {
          const seen: Array<number> = []
          const log = Effect.provideService(bodies.Log, (n) => Effect.sync(() => void seen.push(n)))
          const elements = yield* adds(log(Stream.runCollect(pool.stream(bodies.added, 200))))
          assert.deepStrictEqual(elements, arrayTo(201).slice(1).map((n) => n + 1000))
          assert.deepStrictEqual(seen, arrayTo(201).slice(1))
          const taken = yield* adds(log(pool.stream(bodies.added, 200).pipe(Stream.take(3), Stream.runCollect)))
          assert.deepStrictEqual(taken, [1001, 1002, 1003])
        })))

    it.live("H6: so does the body of a pipe", () =>
      withPool({}, (pool) =>
        Effect.gen(function*() {
          const piped = yield* adds(Stream.runCollect(Stream.range(1, 300).pipe(pool.pipe(bodies.addedTo))))
          assert.deepStrictEqual(piped, arrayTo(301).slice(1).map((n) => n + 1000))
        })))

    it.live("H7: what a task does not name, and a call outside of a pool, is refused", () =>
      withPool({}, (pool) =>
        Effect.gen(function*() {
          const reason = yield* reasonOf(pool.run(bodies.notNamed))
          assert.strictEqual(reason._tag, "Panicked")
          assert.include(String((reason as { readonly thrown: unknown }).thrown), "is not among the callbacks of task")
          assert.throws(() => bodies.notNamed.body(), /on the program's own thread/)
        })))

    it.live("H4: a callback runs tasks on the pool of one thread of its own body; beyond the bound they fail", () =>
      waits ?
        withPool({}, (pool) =>
          Effect.gen(function*() {
            const nested = (pool: Blocking.Pool, depth: number): Effect.Effect<number, unknown> =>
              pool.run(bodies.sum, 1).pipe(
                Effect.provideService(bodies.Add, (a, b) =>
                  depth === 1
                    ? Effect.succeed(a + b)
                    : Effect.map(Effect.orDie(nested(pool, depth - 1)), (below) => a + b + below))
              )
            assert.strictEqual(yield* nested(pool, 2), 2)
            const reason = yield* reasonOf(nested(pool, 3))
            assert.strictEqual(reason._tag, "Panicked")
            assert.deepInclude((yield* pool.stats).outcomes, { WouldDeadlock: 1, Panicked: 2 })
          })) :
        Effect.void)

    it.live("H3: an abort wakes a body that waits, which leaves through its finally blocks", () =>
      waits ?
        withPool({ gracePeriod: 3_600_000 }, (pool, directory) =>
          Effect.gen(function*() {
            const file = join(directory, "left")
            const called = yield* Deferred.make<void>()
            let interrupted = 0
            const fiber = yield* pool.run(bodies.waits, file).pipe(
              Effect.provideService(bodies.Add, () =>
                Deferred.succeed(called, void 0).pipe(
                  Effect.andThen(Effect.never),
                  Effect.onInterrupt(() => Effect.sync(() => interrupted++))
                )),
              Effect.forkChild
            )
            yield* Deferred.await(called)
            // It waits when the callback has not answered at once.
            yield* Effect.yieldNow
            assert.strictEqual((yield* pool.stats).waitingThreads, 1)
            yield* Fiber.interrupt(fiber)
            assert.deepStrictEqual([interrupted, existsSync(file)], [1, true])
            // Its thread is the only one, and was not ended.
            assert.strictEqual(yield* adds(pool.run(bodies.sum, 3)), 6)
            assert.deepInclude(yield* pool.stats, { threadsStarted: 1, waitingThreads: 0 })
          })) :
        Effect.void)

    it.live("H4: a thread that is killed while its body waits fails that, and interrupts the callback", () =>
      waits ?
        withPool({ maxThreads: 1 }, (pool, directory) =>
          Effect.gen(function*() {
            const called = yield* Deferred.make<number>()
            let interrupted = 0
            const fiber = yield* pool.run(bodies.waits, join(directory, "left")).pipe(
              Effect.provideService(bodies.Add, () =>
                Effect.flatMap(pool.stats, ({ running }) => Deferred.succeed(called, running[0]!.threadId)).pipe(
                  Effect.andThen(Effect.never),
                  Effect.onInterrupt(() => Effect.sync(() => interrupted++))
                )),
              Effect.forkChild
            )
            const threadId = yield* Deferred.await(called)
            if (backend.name === "processes") {
              process.kill(threadId, "SIGKILL")
              const reason = yield* reasonOf(Fiber.join(fiber))
              assert.strictEqual(reason._tag, "WorkerExited")
            } else {
              yield* Fiber.interrupt(fiber)
            }
            assert.strictEqual(interrupted, 1)
            assert.strictEqual(yield* adds(pool.run(bodies.sum, 3)), 6)
          })) :
        Effect.void)

    it.live("G6, H3: a shutdown wakes a body that waits, within its bound", () =>
      waits ?
        withPool({ shutdownTimeout: 1, gracePeriod: 3_600_000 }, (pool, directory) =>
          Effect.gen(function*() {
            const file = join(directory, "left")
            const called = yield* Deferred.make<void>()
            const fiber = yield* pool.run(bodies.waits, file).pipe(
              Effect.provideService(bodies.Add, () => Effect.andThen(Deferred.succeed(called, void 0), Effect.never)),
              Effect.forkChild
            )
            yield* Deferred.await(called)
            yield* backend.close(pool)
            const reason = yield* reasonOf(Fiber.join(fiber))
            assert.deepInclude(reason, { _tag: "Cancelled", by: "Shutdown", stopped: "Checkpoint" })
            assert.isTrue(existsSync(file))
          })) :
        Effect.void)

    it.live("H6: a callback that does not answer at once is refused, and says why", () =>
      waits ? Effect.void : withPool({}, (pool) =>
        Effect.gen(function*() {
          let interrupted = 0
          const reason = yield* reasonOf(
            pool.run(bodies.sum, 1).pipe(
              Effect.provideService(bodies.Add, () =>
                Effect.onInterrupt(Effect.never, () => Effect.sync(() => interrupted++)))
            )
          )
          assert.strictEqual(reason._tag, "Panicked")
          assert.include(String((reason as { readonly thrown: unknown }).thrown), "cannot wait")
          assert.strictEqual(interrupted, 1)
          assert.isTrue(Callback.isCallback(bodies.Add))
        })))
  })
}
