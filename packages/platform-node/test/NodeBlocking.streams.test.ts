/** The rules of streams that need real threads; the others are in the contract (packages/vitest). */
import { assert, describe, it } from "@effect/vitest"
import { Deferred, Effect, Exit, Fiber, Scope, Stream, Tracer } from "effect"
import { Task } from "effect-blocking"
import * as streams from "./fixtures/streams.ts"
import * as tasks from "./fixtures/tasks.ts"
import * as Gate from "./utils/gate.ts"
import { closeable, reasonOf, withPool } from "./utils/pool.ts"

const quick = { gracePeriod: "1 millis" } as const

describe("streams", () => {
  it.live("G1: with a slow consumer two chunks are in memory, however long the stream", () =>
    withPool({ maxThreads: 1 }, (pool) =>
      Effect.gen(function*() {
        const size = 1_000_000
        let most = 0
        // Without a bound, the whole stream would be in the memory of the process, outside of the heap.
        const before = process.memoryUsage().arrayBuffers
        yield* pool.stream(streams.buffers, 200, size).pipe(
          Stream.runForEach(() =>
            Effect.gen(function*() {
              // Gives the thread time to run ahead.
              yield* pool.run(tasks.add, 1, 1)
              most = Math.max(most, process.memoryUsage().arrayBuffers - before)
            })
          )
        )
        assert.isAbove(most, 0)
        assert.isBelow(most, 100 * size)
      })))

  it.live("G2: an element that takes longer than a chunk travels alone", () =>
    withPool({ maxThreads: 1 }, (pool) =>
      Effect.gen(function*() {
        const chunks = yield* pool.stream(streams.slow, 2).pipe(Stream.chunks, Stream.take(5), Stream.runCollect)
        assert.deepStrictEqual(chunks, [[0], [1], [2], [3], [4]])
      })))

  it.live("G4: an interruption while the body runs leaves it by a checkpoint, and the thread survives", () =>
    withPool({ maxThreads: 1 }, (pool) =>
      Effect.gen(function*() {
        const [entered, left] = [Gate.make(), Gate.make()]
        const fiber = yield* Effect.forkChild(Stream.runDrain(pool.stream(streams.checks, entered, left)))
        yield* Gate.arrived(entered)
        yield* Fiber.interrupt(fiber)
        assert.strictEqual(Gate.arrivals(left), 1)
        const { outcomes, stops, threadsStarted } = yield* pool.stats
        assert.strictEqual(outcomes.Cancelled, 1)
        assert.deepStrictEqual(stops, { Requested: 1, Terminated: 0, Abandoned: 0 })
        yield* pool.run(tasks.add, 1, 1)
        assert.strictEqual(threadsStarted, 1)
      })))

  it.live("G4: an endless body of cheap elements needs no checkpoint to be stopped", () =>
    withPool({ maxThreads: 1 }, (pool) =>
      Effect.gen(function*() {
        const closed = Gate.make()
        for (let i = 1; i <= 20; i++) {
          const elements = yield* Deferred.make<void>()
          const fiber = yield* pool.stream(streams.notes, closed).pipe(
            Stream.runForEach(() => Deferred.succeed(elements, undefined)),
            Effect.forkChild
          )
          yield* Deferred.await(elements)
          yield* Fiber.interrupt(fiber)
          assert.strictEqual(Gate.arrivals(closed), i)
        }
        assert.strictEqual((yield* pool.stats).threadsStarted, 1)
      })))

  it.live("G4: a body that does not end is stopped with its thread, which is replaced", () =>
    withPool({ maxThreads: 1, ...quick }, (pool) =>
      Effect.gen(function*() {
        const entered = Gate.make()
        const fiber = yield* Effect.forkChild(Stream.runDrain(pool.stream(streams.spins, entered)))
        yield* Gate.arrived(entered)
        yield* Fiber.interrupt(fiber)
        assert.deepInclude(yield* pool.stats, { threads: 0, openStreams: 0 })
        assert.strictEqual(yield* pool.run(tasks.add, 1, 1), 2)
      })))

  it.live("G4: so is a body that does not end when it is closed", () =>
    withPool({ maxThreads: 1, ...quick }, (pool) =>
      Effect.gen(function*() {
        const closing = Gate.make()
        const taken = yield* Stream.runCollect(Stream.take(pool.stream(streams.stays, closing), 1))
        assert.deepStrictEqual(taken, [0])
        assert.strictEqual(Gate.arrivals(closing), 1)
        assert.deepInclude(yield* pool.stats, { threads: 0, openStreams: 0 })
        assert.strictEqual(yield* pool.run(tasks.add, 1, 1), 2)
      })))

  it.live("G4: a body that takes long to be closed is asked to stop", () =>
    withPool({ maxThreads: 1, gracePeriod: "30 seconds" }, (pool) =>
      Effect.gen(function*() {
        const closed = Gate.make()
        yield* Stream.runCollect(Stream.take(pool.stream(streams.lingers, closed), 1))
        assert.strictEqual(Gate.arrivals(closed), 1)
        assert.strictEqual((yield* pool.stats).threadsStarted, 1)
      })))

  it.live("G4: a close does not wait for another task of the thread, which goes on", () =>
    withPool({ maxThreads: 1, ...quick }, (pool) =>
      Effect.gen(function*() {
        const [closed, gate] = [Gate.make(), Gate.make()]
        const scope = yield* Scope.make()
        const pull = yield* Scope.provide(Stream.toPull(pool.stream(streams.notes, closed)), scope)
        yield* pull
        yield* pool.run(tasks.add, 1, 1)
        const held = yield* pool.spawn(tasks.hold, gate, 7)
        yield* Gate.arrived(gate)
        yield* Scope.close(scope, Exit.void)
        assert.deepInclude(yield* pool.stats, { openStreams: 1 })
        assert.strictEqual(Gate.arrivals(closed), 0)
        Gate.open(gate)
        assert.strictEqual(yield* held.join, 7)
        yield* Gate.arrived(closed)
      })))

  it.live("G4, G10: a lease behind a stream that was left waits for its thread, and no other is started", () =>
    withPool({ maxThreads: 1 }, (pool) =>
      Effect.gen(function*() {
        const closed = Gate.make()
        const abandoned = Task.with(streams.notes, { onInterrupt: "abandon" })
        for (let i = 1; i <= 20; i++) {
          // The buffer pulls until the consumer leaves: then the body has often just yielded.
          yield* pool.stream(abandoned, closed).pipe(Stream.buffer({ capacity: 16 }), Stream.take(1), Stream.runDrain)
          yield* pool.lease((lease) => lease.run(tasks.add, 1, 1))
          assert.strictEqual(Gate.arrivals(closed), i)
        }
        assert.strictEqual((yield* pool.stats).threadsStarted, 1)
      })))

  it.live("G5: a stream keeps its thread, and new ones go to the thread with the fewest", () =>
    withPool({ maxThreads: 2 }, (pool) =>
      Effect.gen(function*() {
        yield* pool.prewarm(2)
        const pulls = []
        const homes: Array<number> = []
        while (pulls.length < 4) {
          const pull = yield* Stream.toPull(pool.stream(streams.threads))
          const [home] = yield* pull
          pulls.push(pull)
          homes.push(home)
          // The body runs one chunk ahead, and a busy thread gets no other stream.
          yield* Effect.yieldNow
          yield* Effect.repeat(pool.stats, { until: ({ idleThreads }) => idleThreads === 2 })
        }
        assert.strictEqual(new Set(homes).size, 2)
        for (const home of new Set(homes)) assert.strictEqual(homes.filter((other) => other === home).length, 2)
        for (let i = 0; i < 3; i++) {
          for (const [n, pull] of pulls.entries()) assert.deepStrictEqual(new Set(yield* pull), new Set([homes[n]]))
        }
      })))

  it.live("G5: a thread that is terminated for one stream fails the others on it", () =>
    withPool({ maxThreads: 1, ...quick }, (pool) =>
      Effect.gen(function*() {
        const [entered, closed] = [Gate.make(), Gate.make()]
        const pull = yield* Stream.toPull(pool.stream(streams.notes, closed))
        yield* pull
        const fiber = yield* Effect.forkChild(Stream.runDrain(pool.stream(streams.spins, entered)))
        yield* Gate.arrived(entered)
        yield* Fiber.interrupt(fiber)
        const reason = yield* reasonOf(Effect.forever(pull))
        assert.strictEqual(reason._tag, "WorkerExited")
      })))

  it.live("G6: timeLimit counts the time in the body, in all its parts together", () =>
    withPool({ maxThreads: 1 }, (pool) =>
      Effect.gen(function*() {
        const counted = Task.with(streams.slow, { timeLimit: "20 millis", gracePeriod: "10 seconds" })
        const slow = yield* reasonOf(Stream.runForEach(pool.stream(counted, 1), () => Effect.sleep("5 millis")))
        assert.deepInclude(slow, { _tag: "TimedOut", limitMillis: 20, stopped: "Checkpoint" })
      })))

  it.live("G6: a shutdown ends within its bound, whatever the open streams do", () =>
    Effect.gen(function*() {
      for (const stream of [streams.stays, streams.notes, streams.spins]) {
        const { close, pool } = yield* closeable({
          maxThreads: 2,
          shutdownTimeout: 0,
          gracePeriod: "10 millis",
          terminateTimeout: "5 seconds"
        })
        const gate = Gate.make()
        const pull = yield* Stream.toPull(pool.stream(stream, gate))
        yield* pull
        const waiting = yield* Effect.forkChild(reasonOf(Effect.forever(pull)), { startImmediately: true })
        yield* close
        assert.deepInclude(yield* Fiber.join(waiting), { _tag: "Cancelled", by: "Shutdown", stage: "Running" })
        assert.deepInclude(yield* pool.stats, { threads: 0, openStreams: 0 })
      }
    }).pipe(Effect.scoped))

  it.live("G6: a stream that is run after the shutdown fails", () =>
    Effect.gen(function*() {
      const { close, pool } = yield* closeable({ maxThreads: 1 })
      yield* close
      assert.strictEqual((yield* reasonOf(Stream.runDrain(pool.stream(streams.count, 1))))._tag, "ShutDown")
    }))

  it.live("a stream is one task in the counts, the metrics and the spans", () => {
    const spans: Array<Tracer.Span> = []
    const tracer = Tracer.make({
      span: (options) => {
        const span = new Tracer.NativeSpan(options)
        spans.push(span)
        return span
      }
    })
    return withPool({ maxThreads: 1 }, (pool) =>
      Effect.gen(function*() {
        yield* Effect.withSpan(Stream.runDrain(pool.stream(streams.count, 5000)), "caller")
        const [caller, task] = spans
        assert.deepStrictEqual([caller?.name, task?.name, spans.length], ["caller", "task count", 2])
        assert.strictEqual(task?.status._tag, "Ended")
        const { outcomes, submitted } = yield* pool.stats
        assert.deepStrictEqual([submitted, outcomes.Succeeded], [1, 1])
      }).pipe(Effect.withTracer(tracer)))
  })

  it.live("a task cannot be streamed, and a stream cannot be run", () =>
    withPool({ maxThreads: 1 }, (pool) =>
      Effect.gen(function*() {
        const stream = yield* Effect.catchDefect(
          Stream.runDrain(pool.stream(tasks.add as unknown as typeof streams.count, 1)),
          Effect.succeed
        )
        assert.match(String(stream), /Task\.stream can be streamed/)
        const run = yield* Effect.catchDefect(
          pool.run(streams.count as unknown as typeof tasks.add, 1, 2),
          Effect.succeed
        )
        assert.match(String(run), /Blocking\.stream/)
      })))
})
