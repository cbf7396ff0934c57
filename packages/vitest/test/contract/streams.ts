/** The rules of streams on every backend, like those of tasks in `suite.ts`. */
import { assert, describe, it } from "@effect/vitest"
import { Cause, Effect, Exit, Fiber, Schedule, Stream } from "effect"
import { type Blocking, type JoinError, Task } from "effect-blocking"
import { existsSync, readFileSync } from "node:fs"
import { join } from "node:path"
import { type Backend, liveIf, poolOf, reasonOf } from "./backend.ts"
import * as streams from "./streamTasks.ts"
import * as tasks from "./tasks.ts"

let ids = 0
/** A unique name for the notes of a test's bodies: on simulated threads, all tests share one module. */
const makeId = (): string => `${ids++}`

/** Pulls the chunks of a stream one by one. */
const pullOf = <A, E>(stream: Stream.Stream<A, E>) => Stream.toPull(stream)

const arrayTo = (end: number): ReadonlyArray<number> => Array.from({ length: end }, (_, n) => n)

/** Runs a stream to its failure; returns the elements before it as well. */
const untilFailure = <A, E>(stream: Stream.Stream<A, E>) =>
  Effect.gen(function*() {
    const elements: Array<A> = []
    const error = yield* Effect.flip(Stream.runForEach(stream, (element) =>
      Effect.sync(() => {
        elements.push(element)
      })))
    return { elements, error }
  })

export const streamContract = (backend: Backend): void => {
  const withPool = poolOf(backend)
  const whenReal = liveIf(backend.real)

  /** A file through which a body signals how far it is. */
  const noted = (file: string) =>
    Effect.repeat(Effect.sync(() => existsSync(file)), {
      until: (exists) => exists,
      schedule: Schedule.spaced("2 millis")
    })

  /** Waits until the threads of the pool have done their work so far. */
  const settle = (pool: Blocking.Pool) => Effect.repeat(pool.run(tasks.add, 1, 1), { times: 2 })

  describe(`stream contract: ${backend.name}`, () => {
    it.live("G1: the body runs as far as it is pulled, and one chunk ahead", () =>
      withPool({}, (pool) =>
        Effect.gen(function*() {
          const id = makeId()
          const pull = yield* pullOf(pool.stream(streams.count, id, 1_000_000))
          assert.deepStrictEqual(yield* pull, [0])
          yield* settle(pool)
          assert.isAtMost(yield* pool.run(streams.yieldsOf, id), 1 + 16)
          const second = yield* pull
          assert.isAtMost(second.length, 16)
          yield* settle(pool)
          assert.isAtMost(yield* pool.run(streams.yieldsOf, id), 1 + second.length + 256)
        })))

    it.live("G1: a stream does not start before it is run, and each run starts again", () =>
      withPool({}, (pool) =>
        Effect.gen(function*() {
          const id = makeId()
          const stream = pool.stream(streams.count, id, 3)
          yield* settle(pool)
          assert.strictEqual(yield* pool.run(streams.yieldsOf, id), 0)
          assert.deepStrictEqual(yield* Stream.runCollect(stream), [0, 1, 2])
          assert.deepStrictEqual(yield* Stream.runCollect(stream), [0, 1, 2])
          assert.deepStrictEqual(yield* Stream.runCollect(pool.stream(streams.count, id, 0)), [])
        })))

    it.live("G2: the first element is sent alone, and chunks grow sixteenfold to 1024", () =>
      withPool({}, (pool) =>
        Effect.gen(function*() {
          const chunks = yield* pool.stream(streams.count, makeId(), 20_000).pipe(
            Stream.chunks,
            Stream.map(({ length }) => length),
            Stream.runCollect
          )
          assert.strictEqual(chunks[0], 1)
          let limit = 1
          for (const length of chunks) {
            assert.isAtMost(length, limit)
            if (length === limit) limit = Math.min(limit * 16, 1024)
          }
        })))

    it.live("G2: a chunk ends at 64 kB, of strings and of objects that contain them", () =>
      withPool({}, (pool) =>
        Effect.gen(function*() {
          for (const stream of [pool.stream(streams.texts, 40_000), pool.stream(streams.pages, 40_000)] as const) {
            const chunks = Stream.chunks<string | { readonly text: string }, JoinError.JoinError, never>(stream)
            const lengths = yield* Stream.map(chunks, ({ length }) => length).pipe(Stream.take(50), Stream.runCollect)
            // Fewer on a busy machine, where the time of a chunk ends first.
            assert.deepStrictEqual([lengths[0], Math.max(...lengths)], [1, 2])
          }
        })))

    it.live("G3: yielded elements arrive in order before a domain error, which keeps its class", () =>
      withPool({}, (pool) =>
        Effect.gen(function*() {
          for (const end of [0, 1, 2, 40]) {
            const { elements, error } = yield* untilFailure(pool.stream(streams.truncated, end))
            assert.deepStrictEqual(elements, arrayTo(end))
            assert.instanceOf(error, streams.Truncated)
            assert.strictEqual((error as streams.Truncated).at, end)
          }
        })))

    it.live("G3: yielded elements arrive before a panic, which has its cause and the body's own stack", () =>
      withPool({}, (pool) =>
        Effect.gen(function*() {
          const { elements, error } = yield* untilFailure(pool.stream(streams.panics, 20))
          assert.deepStrictEqual(elements, arrayTo(20))
          const { reason } = error
          if (reason._tag !== "Panicked") assert.fail(reason._tag)
          const thrown = reason.thrown as Error
          assert.deepInclude({ name: thrown.name, message: thrown.message }, { name: "RangeError", message: "a bug" })
          assert.match(thrown.stack ?? "", /streamTasks/)
          assert.match(Cause.pretty(Cause.fail(error)), /panics/)
        })))

    it.live("G4: a consumer that ends early closes the body, and the thread survives", () =>
      withPool({}, (pool) =>
        Effect.gen(function*() {
          const id = makeId()
          const taken = yield* Stream.runCollect(Stream.take(pool.stream(streams.count, id, Infinity), 3))
          assert.deepStrictEqual(taken, [0, 1, 2])
          assert.deepStrictEqual(yield* pool.run(streams.notesOf, id), ["finally"])
          const { outcomes, stops, threadsStarted } = yield* pool.stats
          assert.deepInclude(outcomes, { Cancelled: 0, WorkerExited: 0 })
          assert.deepStrictEqual(stops, { Requested: 0, Terminated: 0, Abandoned: 0 })
          assert.strictEqual(threadsStarted, 1)
        })))

    it.live("G4: take(1) leaves the body where it yielded its first element", () =>
      withPool({}, (pool) =>
        Effect.gen(function*() {
          const id = makeId()
          assert.deepStrictEqual(
            yield* Stream.runCollect(Stream.take(pool.stream(streams.count, id, Infinity), 1)),
            [0]
          )
          assert.strictEqual(yield* pool.run(streams.yieldsOf, id), 1)
          assert.deepStrictEqual(yield* pool.run(streams.notesOf, id), ["finally"])
        })))

    it.live("G4: a failure downstream closes the body", () =>
      withPool({}, (pool) =>
        Effect.gen(function*() {
          const id = makeId()
          const exit = yield* pool.stream(streams.count, id, Infinity).pipe(
            Stream.mapEffect((n) => n === 5 ? Effect.fail("downstream") : Effect.succeed(n)),
            Stream.runDrain,
            Effect.exit
          )
          assert.deepStrictEqual(exit, Exit.fail("downstream"))
          assert.deepStrictEqual(yield* pool.run(streams.notesOf, id), ["finally"])
        })))

    it.live("G4: elements that a body yields while it is closed are ignored, and its throw does not reach the consumer", () =>
      withPool({}, (pool) =>
        Effect.gen(function*() {
          const id = makeId()
          const close = (stream: Stream.Stream<number, JoinError.JoinError>) =>
            Stream.runCollect(Stream.take(stream, 1))
          assert.deepStrictEqual(yield* close(pool.stream(streams.yieldsOnClose, id)), [0])
          assert.deepStrictEqual(yield* pool.run(streams.notesOf, id), ["closed"])
          assert.deepStrictEqual(yield* close(pool.stream(streams.panicsOnClose)), [0])
          assert.strictEqual((yield* pool.stats).outcomes.Panicked, 1)
        })))

    it.live("G5: between two pulls, the thread runs other tasks and other streams", () =>
      withPool({}, (pool) =>
        Effect.gen(function*() {
          const pulls = yield* Effect.forEach(arrayTo(20), () => pullOf(pool.stream(streams.count, makeId(), 100)))
          for (const pull of pulls) assert.deepStrictEqual(yield* pull, [0])
          assert.strictEqual((yield* pool.stats).openStreams, 20)
          assert.strictEqual(yield* pool.run(tasks.add, 2, 3), 5)
          const rest = yield* Effect.forEach(pulls, (pull) => pull, { concurrency: "unbounded" })
          for (const elements of rest) assert.strictEqual(elements[0], 1)
        })))

    it.live("G5: a thread that dies between two pulls fails its streams, which are not restarted", () =>
      withPool({}, (pool) =>
        Effect.gen(function*() {
          const id = makeId()
          const pull = yield* pullOf(pool.stream(streams.count, id, Infinity))
          yield* pull
          yield* pull
          yield* settle(pool)
          const yielded = yield* pool.run(streams.yieldsOf, id)
          yield* backend.kill(pool)
          // The chunk ahead had already arrived.
          assert.isAtLeast((yield* pull).length, 1)
          assert.strictEqual((yield* reasonOf(pull))._tag, "WorkerExited")
          // It has never run on another thread; simulated threads share the state of a module.
          assert.include([0, yielded], yield* pool.run(streams.yieldsOf, id))
        })))

    whenReal(
      "G5: a thread that dies in the middle of a chunk loses that chunk, and the body never runs again",
      () =>
        withPool({}, (pool, directory) =>
          Effect.gen(function*() {
            const file = join(directory, "started")
            const { elements, error } = yield* untilFailure(pool.stream(streams.exits, file, 10))
            assert.deepStrictEqual(elements, [0])
            assert.deepInclude(error.reason, { _tag: "WorkerExited", exitCode: 5 })
            assert.strictEqual(yield* pool.run(tasks.add, 1, 1), 2)
            assert.strictEqual(readFileSync(file, "utf8"), ".")
          }))
    )

    it.live("G5: a thousand open streams on two threads all make progress, next to other tasks", () =>
      withPool({ maxThreads: 2 }, (pool) =>
        Effect.gen(function*() {
          const each = 300
          const pulls = yield* Effect.forEach(arrayTo(1000), (n) =>
            Effect.gen(function*() {
              const pull = yield* pullOf(pool.stream(streams.count, `many ${n}`, each))
              assert.deepStrictEqual(yield* pull, [0])
              return pull
            }), { concurrency: "unbounded" })
          assert.strictEqual((yield* pool.stats).openStreams, 1000)
          const sums = yield* Effect.forEach(
            pulls,
            (pull) => Stream.runFold(Stream.fromPull(Effect.succeed(pull)), () => 0, (sum, n) => sum + n),
            { concurrency: "unbounded" }
          ).pipe(Effect.forkChild({ startImmediately: true }))
          // Queued tasks run in between.
          assert.strictEqual(yield* pool.run(tasks.add, 1, 1), 2)
          if (backend.real) assert.isAbove((yield* pool.stats).openStreams, 0)
          for (const sum of yield* Fiber.join(sums)) assert.strictEqual(sum, each * (each - 1) / 2)
          assert.deepInclude(yield* pool.stats, { openStreams: 0, threadsStarted: 2 })
        })))

    it.live("G5: an exclusive stream has its thread to itself, also between pulls", () =>
      withPool({}, (pool) =>
        Effect.gen(function*() {
          const alone = Task.with(streams.count, { exclusive: true })
          const other = yield* Effect.scoped(Effect.gen(function*() {
            const pull = yield* pullOf(pool.stream(alone, makeId(), Infinity))
            yield* pull
            const other = yield* pool.spawnDetached(tasks.add, 1, 1)
            for (let i = 0; i < 5; i++) yield* pull
            assert.strictEqual((yield* other.status)._tag, "Queued")
            return other
          }))
          assert.strictEqual(yield* other.join, 2)
        })))

    it.live("G5: a thread with an open stream neither retires nor is replaced", () =>
      withPool({ keepAlive: 1, recycle: { tasks: 1 } }, (pool) =>
        Effect.gen(function*() {
          const id = makeId()
          yield* Effect.scoped(Effect.gen(function*() {
            const pull = yield* pullOf(pool.stream(streams.count, id, Infinity))
            yield* pull
            for (let i = 0; i < 5; i++) {
              yield* pool.run(tasks.add, 1, 1)
              // Longer than `keepAlive`.
              yield* Effect.sleep("5 millis")
            }
            yield* pull
            assert.strictEqual((yield* pool.stats).threadsStarted, 1)
          }))
          // Now it may retire.
          yield* Effect.repeat(pool.stats, {
            until: ({ threads, threadsStarted }) => threads === 0 || threadsStarted > 1,
            schedule: Schedule.spaced("2 millis")
          })
        })))

    whenReal(
      "G6: timeLimit counts the time in the body",
      () =>
        withPool({ gracePeriod: 1 }, (pool, directory) =>
          Effect.gen(function*() {
            const limited = Task.with(streams.spins, { timeLimit: "20 millis" })
            const reason = yield* reasonOf(Stream.runDrain(pool.stream(limited, join(directory, "entered"), 0)))
            assert.deepInclude(reason, { _tag: "TimedOut", limitMillis: 20, stopped: "Terminated" })
            assert.strictEqual(yield* pool.run(tasks.add, 1, 1), 2)
          }))
    )

    whenReal(
      "G6: a shutdown ends within its bound, in the middle of a chunk",
      () =>
        withPool({ shutdownTimeout: 0, gracePeriod: 10 }, (pool, directory) =>
          Effect.gen(function*() {
            const entered = join(directory, "entered")
            const pull = yield* pullOf(pool.stream(streams.spins, entered, 1))
            yield* pull
            const waiting = yield* Effect.forkChild(reasonOf(Effect.forever(pull)), { startImmediately: true })
            yield* noted(entered)
            yield* backend.close(pool)
            assert.deepInclude(yield* Fiber.join(waiting), { _tag: "Cancelled", by: "Shutdown", stage: "Running" })
          }))
    )

    whenReal(
      "G6: a shutdown ends within its bound, while a body stays in its finally",
      () =>
        withPool({ shutdownTimeout: 0, gracePeriod: 10 }, (pool, directory) =>
          Effect.gen(function*() {
            const closing = join(directory, "closing")
            // The consumer waits for the end of the body without a bound; only the shutdown has one.
            const patient = Task.with(streams.stays, { onInterrupt: "wait" })
            const waiting = yield* Effect.forkChild(
              Stream.runDrain(Stream.take(pool.stream(patient, closing), 1)),
              { startImmediately: true }
            )
            yield* noted(closing)
            assert.strictEqual((yield* pool.stats).openStreams, 1)
            yield* backend.close(pool)
            yield* Fiber.await(waiting)
          }))
    )

    it.live("G6: a stream that is not pulled is closed after its idleTimeLimit", () =>
      withPool({}, (pool) =>
        Effect.gen(function*() {
          const id = makeId()
          const idle = Task.with(streams.count, { idleTimeLimit: "20 millis" })
          const pull = yield* pullOf(pool.stream(idle, id, Infinity))
          yield* pull
          yield* Effect.repeat(pool.stats, {
            until: ({ openStreams }) => openStreams === 0,
            schedule: Schedule.spaced("2 millis")
          })
          assert.deepStrictEqual(yield* pool.run(streams.notesOf, id), ["finally"])
          assert.isAtLeast((yield* pull).length, 1)
          const reason = yield* reasonOf(pull)
          assert.deepInclude(reason, { _tag: "TimedOut", limitMillis: 20, stopped: "Checkpoint", idle: true })
          assert.match(reason.message, /was not pulled/)
        })))

    it.live("G6: a shutdown closes open streams, and their consumers fail", () =>
      withPool({ shutdownTimeout: 0 }, (pool) =>
        Effect.gen(function*() {
          const pull = yield* pullOf(pool.stream(streams.count, makeId(), Infinity))
          yield* pull
          yield* pull
          yield* settle(pool)
          yield* backend.close(pool)
          assert.isAtLeast((yield* pull).length, 1)
          assert.deepInclude(yield* reasonOf(pull), {
            _tag: "Cancelled",
            stage: "Running",
            by: "Shutdown",
            stopped: "Checkpoint"
          })
        })))

    it.live("G7: elements marked by Task.move are moved", () =>
      withPool({}, (pool) =>
        Effect.gen(function*() {
          const id = makeId()
          const sizes = yield* pool.stream(streams.moves, id, 5).pipe(
            Stream.map(({ bytes }) => [bytes.byteLength, bytes[0]]),
            Stream.runCollect
          )
          assert.deepStrictEqual(sizes, arrayTo(5).map((n) => [1024, n]))
          const left = yield* pool.run(streams.notesOf, id)
          assert.strictEqual(left[0], "0")
          assert.strictEqual(left.length, 5)
        })))

    it.live("G7: an element that cannot cross fails the stream with its path, after the elements before it", () =>
      withPool({}, (pool) =>
        Effect.gen(function*() {
          for (const end of [0, 1, 17, 300]) {
            const id = makeId()
            const { elements, error } = yield* untilFailure(pool.stream(streams.uncloneable, id, end))
            assert.strictEqual(elements.length, end)
            assert.deepInclude(error.reason, {
              _tag: "NotCloneable",
              side: "success",
              path: `elements[${end}].rows[0].onDone`
            })
            assert.deepStrictEqual(yield* pool.run(streams.notesOf, id), ["finally"])
          }
          const { elements, error } = yield* untilFailure(pool.stream(streams.lost))
          assert.deepStrictEqual(elements, [{ n: 0 }])
          assert.deepInclude(error.reason, { _tag: "NotCloneable", path: "elements[1].lost" })
        })))

    it.live("G9: a body that is not a generator fails with a message that says so", () =>
      withPool({}, (pool) =>
        Effect.gen(function*() {
          for (const task of [streams.noGenerator, streams.noSynchronousGenerator]) {
            const reason = yield* reasonOf(Stream.runDrain(pool.stream(task)))
            assert.strictEqual(reason._tag, "Panicked")
            assert.match(reason.message, /write function\*/)
          }
        })))

    it.live("G9: on a lease, streams and calls share its thread, and open streams end with the lease", () =>
      withPool({ maxThreads: 2 }, (pool) =>
        Effect.gen(function*() {
          const id = makeId()
          const notes = yield* Effect.scoped(pool.lease((lease) =>
            Effect.gen(function*() {
              const pull = yield* pullOf(lease.stream(streams.count, id, 100))
              assert.deepStrictEqual(yield* pull, [0])
              assert.isAtLeast(yield* lease.run(streams.yieldsOf, id), 1)
              assert.deepStrictEqual(
                yield* Stream.runCollect(lease.stream(streams.count, id, 3)),
                [0, 1, 2]
              )
              return yield* lease.run(streams.notesOf, id)
            })
          ))
          assert.deepStrictEqual(notes, ["done", "finally"])
          assert.strictEqual((yield* pool.stats).openStreams, 0)
        })))
  })
}
