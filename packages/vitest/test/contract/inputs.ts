/** The rules of streams into a body on every backend. */
import { assert, describe, it } from "@effect/vitest"
import { Deferred, Effect, Exit, Fiber, Queue, Stream } from "effect"
import type { JoinError } from "effect-blocking"
import { existsSync } from "node:fs"
import { join } from "node:path"
import { type Backend, liveIf, poolOf, reasonOf } from "./backend.ts"
import * as inputs from "./inputTasks.ts"
import * as tasks from "./tasks.ts"

const arrayTo = (end: number): ReadonlyArray<number> => Array.from({ length: end }, (_, n) => n)

export const inputContract = (backend: Backend): void => {
  /** Whether bodies get their whole input before they start. */
  const whole = !backend.real
  const withPool = poolOf(backend)
  const whenReal = liveIf(backend.real)

  describe(`input contract: ${backend.name}`, () => {
    it.live("G8: a sink takes all elements, in order and in chunks of any size, and returns the body's result", () =>
      withPool({}, (pool) =>
        Effect.gen(function*() {
          for (const count of [0, 1, 10, 5000]) {
            const collected = yield* Stream.run(Stream.fromIterable(arrayTo(count)), pool.sink(inputs.collect))
            assert.deepStrictEqual(collected, arrayTo(count))
            const one = Stream.rechunk(Stream.fromIterable(arrayTo(Math.min(count, 20))), 1)
            assert.deepStrictEqual(yield* Stream.run(one, pool.sink(inputs.collect)), arrayTo(Math.min(count, 20)))
          }
          assert.strictEqual(yield* Stream.run(Stream.range(1, 4), pool.sink(inputs.sum, 10)), 20)
          const rows = [{ a: 1, b: ["x"] }, new Map([[1, 2]]), new Date(5), new Uint8Array(3), null]
          assert.deepStrictEqual(yield* Stream.run(Stream.fromIterable(rows), pool.sink(inputs.collect)), rows as never)
        })))

    it.live("G8: a body can leave a loop over its input and continue in another", () =>
      withPool({}, (pool) =>
        Effect.gen(function*() {
          const parts = yield* Stream.run(Stream.rechunk(Stream.range(1, 5), 1), pool.sink(inputs.twice))
          assert.deepStrictEqual(parts, [[1, 2], [3, 4, 5]])
        })))

    it.live("G8: a sink fails with its domain error, or panics", () =>
      withPool({}, (pool) =>
        Effect.gen(function*() {
          const failed = yield* Effect.flip(Stream.run(Stream.make(1, -2, 3), pool.sink(inputs.positive)))
          assert.deepInclude(failed as unknown as object, { _tag: "Refused", n: -2 })
          const reason = yield* reasonOf(Stream.run(Stream.range(1, 5), pool.sink(inputs.panics)))
          assert.strictEqual(reason._tag, "Panicked")
          assert.include(String((reason as { readonly thrown: unknown }).thrown), "three")
        })))

    it.live("G8: an element that cannot cross fails the run with its path", () =>
      withPool({}, (pool) =>
        Effect.gen(function*() {
          const elements = Stream.fromIterable([...arrayTo(1500), { on: { done: () => {} } }, 2])
          const reason = yield* reasonOf(Stream.run(elements, pool.sink(inputs.collect)))
          assert.deepInclude(reason, { _tag: "NotCloneable", side: "argument", path: "input[1500].on.done" })
          const piped = yield* reasonOf(
            Stream.runDrain(Stream.make(1, (() => 2) as unknown as number).pipe(pool.pipe(inputs.double)))
          )
          assert.deepInclude(piped, { _tag: "NotCloneable", side: "argument", path: "input[1]" })
        })))

    it.live("G8: a failure upstream fails the stream, and ends the body through its finally blocks", () =>
      withPool({}, (pool, directory) =>
        Effect.gen(function*() {
          const [sink, pipe] = [join(directory, "sink"), join(directory, "pipe")]
          const broken = Stream.concat(Stream.range(1, 3), Stream.fail("upstream"))
          assert.strictEqual(yield* Effect.flip(Stream.run(broken, pool.sink(inputs.cleans, sink))), "upstream")
          const elements: Array<number> = []
          const error = yield* broken.pipe(
            pool.pipe(inputs.cleansPipe, pipe),
            Stream.runForEach((n) => Effect.sync(() => void elements.push(n))),
            Effect.flip
          )
          assert.strictEqual(error, "upstream")
          if (whole) return assert.deepStrictEqual([elements, existsSync(sink), existsSync(pipe)], [[], false, false])
          assert.deepStrictEqual([existsSync(sink), existsSync(pipe)], [true, true])
          assert.deepStrictEqual(elements, arrayTo(elements.length + 1).slice(1))
        })))

    whenReal(
      "G8: an interruption of the stream waits for the body's finally blocks",
      () =>
        withPool({}, (pool, directory) =>
          Effect.gen(function*() {
            for (const kind of ["sink", "pipe"] as const) {
              const file = join(directory, kind)
              const pulled = yield* Deferred.make<void>()
              const input = Stream.concat(
                Stream.make(1),
                Stream.fromEffect(Effect.andThen(Deferred.succeed(pulled, void 0), Effect.never))
              )
              const run: Effect.Effect<unknown, unknown> = kind === "sink"
                ? Stream.run(input, pool.sink(inputs.cleans, file))
                : Stream.runDrain(input.pipe(pool.pipe(inputs.cleansPipe, file)))
              const fiber = yield* Effect.forkChild(run)
              yield* Deferred.await(pulled)
              yield* Fiber.interrupt(fiber)
              assert.isTrue(existsSync(file), kind)
            }
            assert.deepInclude((yield* pool.stats).outcomes, { Cancelled: 2 })
            assert.strictEqual(yield* pool.run(tasks.add, 1, 1), 2)
          }))
    )

    whenReal(
      "G6, G8: a shutdown wakes a body that waits for its input, and interrupts the input",
      () =>
        Effect.forEach(
          ["sink", "pipe"] as const,
          (kind) =>
            withPool({ shutdownTimeout: 0, gracePeriod: 3_600_000 }, (pool, directory) =>
              Effect.gen(function*() {
                const file = join(directory, kind)
                const pulled = yield* Deferred.make<void>()
                let interrupted = 0
                const input = Stream.fromEffect(
                  Deferred.succeed(pulled, void 0).pipe(
                    Effect.andThen(Effect.never),
                    Effect.onInterrupt(() => Effect.sync(() => interrupted++))
                  )
                )
                const run: Effect.Effect<unknown, JoinError.JoinError> = kind === "sink"
                  ? Stream.run(input, pool.sink(inputs.cleans, file))
                  : Stream.runDrain(input.pipe(pool.pipe(inputs.cleansPipe, file)))
                const fiber = yield* Effect.forkChild(run)
                yield* Deferred.await(pulled)
                yield* backend.close(pool)
                const reason = yield* reasonOf(Fiber.join(fiber))
                assert.deepInclude(reason, { _tag: "Cancelled", by: "Shutdown", stopped: "Checkpoint" })
                assert.deepStrictEqual([interrupted, existsSync(file)], [1, true])
              }))
        )
    )

    it.live("G8: a body that returns early ends its input", () =>
      withPool({}, (pool) =>
        Effect.gen(function*() {
          let [pulled, closed] = [0, 0]
          const chunks = whole ? Stream.range(1, 50) : Stream.iterate(1, (n) => n + 1)
          const input = chunks.pipe(
            Stream.rechunk(10),
            Stream.mapArray((chunk) => {
              pulled++
              return chunk
            }),
            Stream.ensuring(Effect.sync(() => closed++))
          )
          assert.deepStrictEqual(yield* Stream.run(input, pool.sink(inputs.firsts, 3)), [1, 2, 3])
          assert.deepStrictEqual(yield* Stream.run(input, pool.sink(inputs.firsts, 0)), [])
          assert.deepStrictEqual(yield* Stream.runCollect(input.pipe(pool.pipe(inputs.take, 3))), [1, 2, 3])
          assert.strictEqual(closed, 3)
          // At most one chunk ahead of the requests.
          if (!whole) assert.isAtMost(pulled, 2 + 0 + 2)
        })))

    whenReal(
      "G8: a pipe whose consumer does not pull again ends its input",
      () =>
        withPool({}, (pool) =>
          Effect.gen(function*() {
            const interrupted = yield* Deferred.make<void>()
            const input = Stream.concat(
              Stream.make(1),
              Stream.fromEffect(Effect.onInterrupt(Effect.never, () => Deferred.succeed(interrupted, void 0)))
            )
            const pull = yield* Stream.toPull(input.pipe(pool.pipe(inputs.take, 1)))
            assert.deepStrictEqual(yield* pull, [1])
            yield* Deferred.await(interrupted)
          }))
    )

    whenReal(
      "G8: nothing is pulled before the body asks, and one chunk ahead after that",
      () =>
        withPool({}, (pool) =>
          Effect.gen(function*() {
            let pulled = 0
            const input = Stream.iterate(1, (n) => n + 1).pipe(
              Stream.rechunk(1),
              Stream.tap(() => Effect.sync(() => pulled++))
            )
            // The consumer stops at the first element: the body is suspended there, and its input is not
            // pulled.
            const pull = yield* Stream.toPull(input.pipe(pool.pipe(inputs.sums, 5)))
            assert.strictEqual(pulled, 0)
            assert.deepStrictEqual(yield* pull, [15])
            yield* Effect.repeat(pool.run(tasks.add, 1, 1), { times: 3 })
            // The body may run for the whole time of the second chunk of sums.
            assert.isAtMost(pulled, 5 + 16 * 5 + 1)
          }))
    )

    whenReal(
      "G2: the yielded elements of a pipe do not wait for its next input",
      () =>
        withPool({}, (pool) =>
          Effect.gen(function*() {
            const queue = yield* Queue.unbounded<number>()
            const pull = yield* Stream.toPull(Stream.fromQueue(queue).pipe(pool.pipe(inputs.double)))
            for (let n = 0; n < 5; n++) {
              yield* Queue.offer(queue, n)
              assert.deepStrictEqual(yield* pull, [2 * n])
            }
          }))
    )

    it.live("G3: a pipe emits its elements, and its failure after them", () =>
      withPool({}, (pool) =>
        Effect.gen(function*() {
          const doubled = yield* Stream.runCollect(Stream.range(1, 3000).pipe(pool.pipe(inputs.double)))
          assert.deepStrictEqual(doubled, arrayTo(3001).slice(1).map((n) => 2 * n))
          const elements: Array<number> = []
          const error = yield* Stream.make(1, 2, -3, 4).pipe(
            pool.pipe(inputs.positivePipe),
            Stream.runForEach((n) => Effect.sync(() => void elements.push(n))),
            Effect.flip
          )
          assert.deepStrictEqual(elements, [1, 2])
          assert.deepInclude(error as unknown as object, { _tag: "Refused", n: -3 })
        })))

    it.live("G4: a consumer that ends early ends the pipe through its finally blocks, and its input", () =>
      withPool({}, (pool, directory) =>
        Effect.gen(function*() {
          let closed = 0
          const file = join(directory, "closed")
          const taken = yield* Stream.range(1, 10_000).pipe(
            Stream.ensuring(Effect.sync(() => closed++)),
            pool.pipe(inputs.cleansPipe, file),
            Stream.take(1),
            Stream.runCollect
          )
          assert.deepStrictEqual(taken, [1])
          assert.deepStrictEqual([closed, existsSync(file)], [1, true])
        })))

    it.live("G10: two pipes in a row, and a sink after them, run on a pool of one thread", () =>
      withPool({}, (pool) =>
        Effect.gen(function*() {
          const exit = yield* Stream.range(1, 5000).pipe(
            pool.pipe(inputs.double),
            Stream.run(pool.sink(inputs.sum, 0)),
            Effect.exit
          )
          assert.deepStrictEqual(exit, Exit.succeed(5000 * 5001))
          const piped = yield* Stream.range(1, 2000).pipe(
            pool.pipe(inputs.double),
            pool.pipe(inputs.double),
            Stream.runFold(() => 0, (total, n) => total + n)
          )
          assert.strictEqual(piped, 4 * 2000 * 2001 / 2)
        })))

    it.live("G8: an input that is used after the end of its body is refused", () =>
      withPool({}, (pool) =>
        Effect.gen(function*() {
          yield* Stream.run(Stream.range(1, 3), pool.sink(inputs.keeps))
          assert.include(yield* pool.run(inputs.usesKept), "used outside of it, or after its end")
          const piped = Stream.range(1, 3).pipe(pool.pipe(inputs.keepsInPipe))
          assert.deepStrictEqual(yield* Stream.runCollect(piped), [1, 2, 3])
          assert.include(yield* pool.run(inputs.usesKept), "used outside of it, or after its end")
          assert.deepStrictEqual(yield* Stream.runCollect(Stream.take(piped, 1)), [1])
          assert.include(yield* pool.run(inputs.usesKept), "used outside of it, or after its end")
          // It does not take from the input of the body that runs now.
          const { left, taken } = yield* Stream.run(Stream.range(4, 6), pool.sink(inputs.takesFromKept))
          assert.include(taken, "used outside of it, or after its end")
          assert.deepStrictEqual(left, [4, 5, 6])
        })))

    it.live("G8: a sink and a pipe on a lease", () =>
      withPool({}, (pool) =>
        pool.lease((lease) =>
          Effect.gen(function*() {
            assert.strictEqual(yield* Stream.run(Stream.range(1, 4), lease.sink(inputs.sum, 0)), 10)
            assert.deepStrictEqual(yield* Stream.runCollect(Stream.range(1, 3).pipe(lease.pipe(inputs.double))), [
              2,
              4,
              6
            ])
          })
        )))
  })
}
