import { assert, describe, it } from "@effect/vitest"
import {
  Cause,
  Context,
  Deferred,
  Effect,
  Exit,
  Fiber,
  Layer,
  Option,
  References,
  Schedule,
  Scope,
  Stream,
  Tracer
} from "effect"
import { type Blocking, Callback } from "effect-blocking"
import * as bodies from "./fixtures/callbacks.ts"
import * as streams from "./fixtures/streams.ts"
import * as tasks from "./fixtures/tasks.ts"
import * as Gate from "./utils/gate.ts"
import { closeable, reasonOf, withPool } from "./utils/pool.ts"

/** For conditions without an event. */
const poll = Schedule.spaced("2 millis")

const adds = Effect.provideService(bodies.Add, (a, b) => Effect.succeed(a + b))

/** A handler of `Add` that never answers; reports its call and its interruption. */
const neverAnswers = Effect.gen(function*() {
  const called = yield* Deferred.make<void>()
  const interrupted = yield* Deferred.make<void>()
  const add = () =>
    Deferred.succeed(called, void 0).pipe(
      Effect.andThen(Effect.never),
      Effect.onInterrupt(() => Deferred.succeed(interrupted, void 0))
    )
  return {
    called: Deferred.await(called),
    wasCalled: Deferred.isDone(called),
    interrupted: Deferred.isDone(interrupted),
    provide: Effect.provideService(bodies.Add, add)
  }
})

/** Runs `sum` on the pool again from inside of each of its calls, that many deep. */
const nested = (pool: Blocking.Pool, depth: number): Effect.Effect<number, unknown> =>
  pool.run(bodies.sum, 1).pipe(
    Effect.provideService(bodies.Add, (a, b) =>
      depth === 1
        ? Effect.succeed(a + b)
        : Effect.map(Effect.orDie(nested(pool, depth - 1)), (below) => a + b + below))
  )

describe("calls", () => {
  it.live("H1: a callback has the services, references and annotations of the fiber that runs the task", () =>
    withPool({ maxThreads: 1 }, (pool) =>
      Effect.gen(function*() {
        class Offset extends Context.Service<Offset, number>()("test/Offset") {}
        const Level = Context.Reference("test/Level", { defaultValue: () => 0 })
        const seen: Array<unknown> = []
        const AddLive = Layer.effect(
          bodies.Add,
          Effect.map(Offset, (offset) => (a: number, b: number) =>
            Effect.gen(function*() {
              seen.push(yield* Level, yield* References.CurrentLogAnnotations)
              return a + b + offset
            }))
        ).pipe(Layer.provide(Layer.succeed(Offset, 100)))
        const total = yield* pool.run(bodies.sum, 1).pipe(
          Effect.provide(AddLive),
          Effect.provideService(Level, 7),
          Effect.annotateLogs("request", "r1")
        )
        assert.strictEqual(total, 101)
        assert.deepStrictEqual(seen, [7, { request: "r1" }])
      })))

  it.live("H1: its span is a child of the task's, which is a child of the caller's", () => {
    const spans = new Map<string, string | undefined>()
    const tracer = Tracer.make({
      span: (options) => {
        const parent = Option.getOrUndefined(options.parent)
        spans.set(options.name, parent?._tag === "Span" ? parent.name : undefined)
        return new Tracer.NativeSpan(options)
      }
    })
    return withPool({ maxThreads: 1 }, (pool) =>
      pool.run(bodies.sum, 1).pipe(
        Effect.provideService(bodies.Add, (a, b) => Effect.withSpan(Effect.succeed(a + b), "own")),
        Effect.withSpan("caller"),
        Effect.withTracer(tracer),
        Effect.map(() =>
          assert.deepStrictEqual(Array.from(spans), [
            ["caller", undefined],
            ["task sum", "caller"],
            ["callback test/Add", "task sum"],
            ["own", "callback test/Add"]
          ])
        )
      ))
  })

  it.live("H1: the interruption of the caller interrupts it, and waits for its end", () =>
    withPool({ maxThreads: 1 }, (pool) =>
      Effect.gen(function*() {
        const events: Array<string> = []
        const called = yield* Deferred.make<void>()
        const fiber = yield* pool.run(bodies.sum, 1).pipe(
          Effect.provideService(bodies.Add, () =>
            Deferred.succeed(called, void 0).pipe(
              Effect.andThen(Effect.never),
              Effect.onInterrupt(() => Effect.andThen(Effect.yieldNow, Effect.sync(() => events.push("finalized"))))
            )),
          Effect.forkChild
        )
        yield* Deferred.await(called)
        yield* Fiber.interrupt(fiber)
        events.push("interrupted")
        assert.deepStrictEqual(events, ["finalized", "interrupted"])
        assert.strictEqual(yield* pool.run(bodies.sum, 2).pipe(adds), 3)
      })))

  it.live("H1: for a spawned task it ends with the scope, for a detached one with the pool", () =>
    Effect.gen(function*() {
      const { close, pool } = yield* closeable({ maxThreads: 2, shutdownTimeout: "1 millis" })
      const spawned = yield* neverAnswers
      const detached = yield* neverAnswers
      const scope = yield* Scope.make()
      yield* pool.spawn(bodies.sum, 1).pipe(spawned.provide, Scope.provide(scope))
      yield* pool.spawnDetached(bodies.sum, 1).pipe(detached.provide)
      yield* Effect.all([spawned.called, detached.called])
      yield* Scope.close(scope, Exit.void)
      assert.deepStrictEqual([yield* spawned.interrupted, yield* detached.interrupted], [true, false])
      yield* close
      assert.isTrue(yield* detached.interrupted)
    }))

  it.live("H1: it works on a lease and in a set of tasks, too", () =>
    withPool({ maxThreads: 1 }, (pool) =>
      Effect.gen(function*() {
        const total = yield* pool.lease((lease) => lease.run(bodies.sum, 3)).pipe(adds)
        assert.strictEqual(total, 6)
        const handle = yield* pool.spawn(bodies.sum, 4).pipe(adds)
        assert.strictEqual(yield* handle.join, 10)
      })))

  it.live("H2: a failure is a Result in the body, with the class that the callback names", () =>
    withPool({ maxThreads: 1 }, (pool) =>
      Effect.gen(function*() {
        const find = Effect.provideService(bodies.Lookup, (id) =>
          id === "ada" ? Effect.succeed({ id, age: 36 }) : Effect.fail(new bodies.NotFound(id)))
        assert.strictEqual(yield* pool.run(bodies.age, "ada").pipe(find), 36)
        assert.strictEqual(yield* pool.run(bodies.age, "bob").pipe(find), "no user bob, true")
        assert.deepStrictEqual(yield* pool.run(bodies.lookup, "ada").pipe(find), { id: "ada", age: 36 })
        const error = yield* Effect.flip(pool.run(bodies.lookup, "bob").pipe(find))
        assert.instanceOf(error, bodies.NotFound)
      })))

  it.live("H2: a defect panics the body, with its cause", () =>
    withPool({ maxThreads: 1 }, (pool) =>
      Effect.gen(function*() {
        const dies = Effect.provideService(
          bodies.Add,
          () => Effect.die(new TypeError("a bug", { cause: new Error("deep") }))
        )
        const reason = yield* reasonOf(pool.run(bodies.sum, 1).pipe(dies))
        assert.strictEqual(reason._tag, "Panicked")
        const thrown = (reason as { readonly thrown: Error }).thrown
        assert.instanceOf(thrown, TypeError)
        assert.deepStrictEqual([thrown.message, (thrown.cause as Error).message], ["a bug", "deep"])
        assert.strictEqual(yield* pool.run(bodies.catches).pipe(dies), "caught TypeError: a bug")
        const throws = Effect.provideService(bodies.Add, () => {
          throw new Error("before any effect")
        })
        assert.strictEqual(yield* pool.run(bodies.catches).pipe(throws), "caught Error: before any effect")
      })))

  it.live("H2: values cross as arguments do", () =>
    withPool({ maxThreads: 1 }, (pool) =>
      Effect.gen(function*() {
        const sent = yield* reasonOf(pool.run(bodies.sendsFunction).pipe(adds))
        assert.deepInclude(sent, { _tag: "NotCloneable", side: "argument", path: "test/Add.arguments[1].onDone" })
        const answer = Effect.provideService(bodies.Add, () => Effect.succeed((() => 1) as unknown as number))
        assert.deepInclude(yield* reasonOf(pool.run(bodies.sum, 1).pipe(answer)), {
          _tag: "NotCloneable",
          side: "success",
          path: "answer"
        })
        const seen: Array<number> = []
        const exchanged = yield* pool.run(bodies.exchange, 1000).pipe(
          Effect.provideService(bodies.Bytes, (bytes) =>
            Effect.sync(() => {
              seen.push(bytes.length, bytes[999]!)
              return new Uint8Array(2000).fill(2)
            }))
        )
        assert.deepStrictEqual(exchanged, { left: 0, first: 2, size: 2000 })
        assert.deepStrictEqual(seen, [1000, 1])
      })))

  it.live("a task calls several callbacks, in its order", () =>
    withPool({ maxThreads: 1 }, (pool) =>
      Effect.gen(function*() {
        const lines: Array<string> = []
        const count = yield* pool.run(bodies.logs, ["a", "b", "c"]).pipe(
          adds,
          Effect.provideService(bodies.Log, (line) => Effect.sync(() => void lines.push(line)))
        )
        assert.deepStrictEqual([count, lines], [3, ["a", "b", "c"]])
      })))
})

describe("stops", () => {
  it.live("H3: an abort wakes the body, which leaves through its finally blocks; the thread survives", () =>
    withPool({ maxThreads: 1, gracePeriod: "1 hour" }, (pool) =>
      Effect.gen(function*() {
        for (const task of [bodies.waits, bodies.waitsStubbornly]) {
          const { called, interrupted, provide } = yield* neverAnswers
          const cleaned = Gate.make()
          const handle = yield* pool.spawn(task, cleaned).pipe(provide)
          yield* called
          yield* handle.abort
          assert.deepInclude(yield* reasonOf(handle.join), { _tag: "Cancelled", stopped: "Checkpoint" })
          assert.strictEqual(Gate.arrivals(cleaned), 1)
          assert.isTrue(yield* interrupted)
        }
        assert.strictEqual((yield* pool.stats).threadsStarted, 1)
      })))

  it.live("H3: a time limit wakes it as well", () =>
    withPool({ maxThreads: 1, gracePeriod: "1 hour" }, (pool) =>
      Effect.gen(function*() {
        const { interrupted, provide, wasCalled } = yield* neverAnswers
        const cleaned = Gate.make()
        const limited = pool.run(bodies.waitsInTime, cleaned).pipe(provide)
        assert.deepInclude(yield* reasonOf(limited), { _tag: "TimedOut", stopped: "Checkpoint" })
        // If the call reached the program too late, it was not made.
        assert.strictEqual(yield* interrupted, yield* wasCalled)
        assert.strictEqual((yield* pool.stats).threadsStarted, 1)
      })))

  it.live("H3: a body that was asked to stop before makes no call", () =>
    withPool({ maxThreads: 1 }, (pool) =>
      Effect.gen(function*() {
        const { provide } = yield* neverAnswers
        const seen = Gate.make()
        const handle = yield* pool.spawn(bodies.stops, seen).pipe(provide)
        yield* Effect.repeat(handle.status, { until: ({ _tag }) => _tag === "Running" })
        yield* handle.abort
        assert.deepInclude(yield* reasonOf(handle.join), { _tag: "Cancelled", stopped: "Checkpoint" })
        assert.strictEqual(Gate.arrivals(seen), 1)
      })))

  it.live("an answer that comes after its run has ended is dropped", () =>
    withPool({ maxThreads: 1 }, (pool) =>
      Effect.gen(function*() {
        const called = yield* Deferred.make<void>()
        const release = yield* Deferred.make<void>()
        const fiber = yield* pool.run(bodies.sum, 1).pipe(
          Effect.provideService(bodies.Add, () =>
            Deferred.succeed(called, void 0).pipe(
              Effect.andThen(Deferred.await(release)),
              Effect.as(99),
              Effect.uninterruptible
            )),
          Effect.forkChild
        )
        yield* Deferred.await(called)
        const interruption = yield* Effect.forkChild(Fiber.interrupt(fiber), { startImmediately: true })
        // The thread is free, and in its next call, before the first one answers.
        const other = yield* pool.run(bodies.sum, 1).pipe(
          Effect.provideService(bodies.Add, (a, b) => Effect.as(Deferred.succeed(release, void 0), a + b))
        )
        assert.strictEqual(other, 1)
        yield* Fiber.join(interruption)
      })))

  it.live("D4: the shutdown of the pool ends a body that waits for a program that never answers", () =>
    Effect.gen(function*() {
      const { close, pool } = yield* closeable({ maxThreads: 1, shutdownTimeout: "1 millis", gracePeriod: "1 hour" })
      const { called, interrupted, provide } = yield* neverAnswers
      const cleaned = Gate.make()
      const handle = yield* pool.spawnDetached(bodies.waits, cleaned).pipe(provide)
      yield* called
      yield* close
      assert.deepInclude(yield* reasonOf(handle.join), { _tag: "Cancelled", by: "Shutdown", stopped: "Checkpoint" })
      assert.deepStrictEqual([yield* interrupted, Gate.arrivals(cleaned)], [true, 1])
    }))
})

describe("places", () => {
  it.live("H4: a thread that waits holds no place: a callback runs tasks on a pool of one thread", () =>
    withPool({ maxThreads: 1 }, (pool) =>
      Effect.gen(function*() {
        assert.strictEqual(yield* nested(pool, 2), 2)
        const { threads, threadsStarted, waitingThreads } = yield* pool.stats
        assert.deepStrictEqual([threads, threadsStarted, waitingThreads], [2, 2, 0])
        // The second thread is kept, without a place: it uses the next place that is lent.
        assert.strictEqual((yield* pool.stats).idleThreads, 1)
        assert.strictEqual(yield* nested(pool, 2), 2)
        assert.strictEqual((yield* pool.stats).threadsStarted, 2)
      })))

  it.live("H4: beyond the bound a run from inside of a callback fails, typed and at once", () =>
    withPool({ maxThreads: 1 }, (pool) =>
      Effect.gen(function*() {
        const reasons: Array<unknown> = []
        const three = (depth: number): Effect.Effect<number, unknown> =>
          pool.run(bodies.sum, 1).pipe(
            Effect.tapError((error) => Effect.sync(() => reasons.push(error.reason))),
            Effect.provideService(
              bodies.Add,
              (a, b) => depth === 3 ? Effect.succeed(a + b) : Effect.orElseSucceed(three(depth + 1), () => -1)
            )
          )
        assert.strictEqual(yield* three(1), -1)
        assert.strictEqual(reasons.length, 1)
        assert.deepInclude(reasons[0], { _tag: "WouldDeadlock", threads: 2, maxThreads: 1 })
        assert.strictEqual((yield* pool.stats).outcomes.WouldDeadlock, 1)
        // The pool works as before.
        assert.strictEqual(yield* nested(pool, 2), 2)
      })))

  it.live("H4: a run that waits in the queue fails as soon as the last thread waits, too", () =>
    withPool({ maxThreads: 1 }, (pool) =>
      Effect.gen(function*() {
        const busy = yield* Deferred.make<void>()
        const queued = yield* Deferred.make<void>()
        const release = yield* Deferred.make<void>()
        // Its callback runs two tasks: the second finds the lent place taken by the first, which then waits as well.
        const outer = pool.run(bodies.sum, 1).pipe(
          Effect.provideService(bodies.Add, () =>
            Effect.gen(function*() {
              const first = yield* pool.run(bodies.sum, 1).pipe(
                Effect.provideService(bodies.Add, (a, b) =>
                  Deferred.succeed(busy, void 0).pipe(
                    Effect.andThen(Deferred.await(release)),
                    Effect.as(a + b)
                  )),
                Effect.forkChild
              )
              yield* Deferred.await(busy)
              const reason = yield* reasonOf(pool.run(bodies.sum, 1).pipe(adds))
              yield* Deferred.succeed(release, void 0)
              yield* Fiber.join(first)
              return reason._tag === "WouldDeadlock" ? 1 : 0
            }).pipe(Effect.orDie))
        )
        yield* Deferred.succeed(queued, void 0)
        assert.strictEqual(yield* outer, 1)
      })))

  it.live("H4: many nested runs on two threads all end", () =>
    withPool({ maxThreads: 2 }, (pool) =>
      Effect.gen(function*() {
        const exits = yield* Effect.forEach(
          Array.from({ length: 60 }, (_, i) => 1 + i % 4),
          (depth) => Effect.exit(nested(pool, depth)),
          { concurrency: "unbounded" }
        )
        const failures = exits.filter(Exit.isFailure).map(({ cause }) => Cause.pretty(cause))
        for (const failure of failures) assert.match(failure, /would never begin/)
        assert.isAtLeast(exits.length - failures.length, 15)
        const { threads, waitingThreads } = yield* pool.stats
        assert.isAtMost(threads, 4)
        assert.strictEqual(waitingThreads, 0)
      })))

  it.live("H4: no more bodies run at once than there are places, when calls are answered", () =>
    withPool({ maxThreads: 1 }, (pool) =>
      Effect.gen(function*() {
        yield* nested(pool, 2)
        const gate = Gate.make()
        const first = yield* pool.spawn(bodies.holds, gate)
        yield* Gate.arrived(gate)
        yield* pool.spawn(bodies.holds, gate)
        const { idleThreads, queueDepth, threads } = yield* pool.stats
        assert.deepStrictEqual({ idleThreads, queueDepth, threads }, { idleThreads: 0, queueDepth: 1, threads: 2 })
        Gate.open(gate)
        yield* first.join
      })))

  it.live("H4: a call on a lease from inside of a callback for which its thread waits fails", () =>
    withPool({ maxThreads: 2 }, (pool) =>
      pool.lease((lease) =>
        Effect.gen(function*() {
          const reason = yield* Deferred.make<string>()
          const total = yield* lease.run(bodies.sum, 1).pipe(
            Effect.provideService(bodies.Add, (a, b) =>
              reasonOf(lease.run(bodies.sum, 1).pipe(adds)).pipe(
                Effect.flatMap(({ _tag }) => Deferred.succeed(reason, _tag)),
                Effect.orDie,
                Effect.as(a + b)
              ))
          )
          assert.deepStrictEqual([total, yield* Deferred.await(reason)], [1, "WouldDeadlock"])
        })
      )))

  it.live("tasks sent behind a body that waits run elsewhere", () =>
    withPool({ maxThreads: 1 }, (pool) =>
      Effect.gen(function*() {
        yield* pool.prewarm()
        const { called, provide } = yield* neverAnswers
        const waiting = yield* pool.spawn(bodies.sum, 1).pipe(provide)
        const others = yield* Effect.forkChild(
          Effect.all(Array.from({ length: 50 }, () => pool.run(bodies.sum, 1).pipe(adds)), { concurrency: 50 }),
          { startImmediately: true }
        )
        yield* called
        assert.deepStrictEqual(yield* Fiber.join(others), Array(50).fill(1))
        yield* waiting.abort
      })))
})

describe("notifications", () => {
  it.live("H5: they are handled in order, and before the task ends", () =>
    withPool({ maxThreads: 1 }, (pool) =>
      Effect.gen(function*() {
        for (const task of [bodies.report, bodies.reportAndFail]) {
          const seen: Array<number> = []
          const exit = yield* Effect.exit(
            pool.run(task, 1000).pipe(
              Effect.provideService(bodies.Progress, (done) =>
                Effect.gen(function*() {
                  // Each takes some time, some longer than others.
                  for (let i = 0; i < done % 3; i++) yield* Effect.yieldNow
                  seen.push(done)
                }))
            )
          )
          assert.strictEqual(Exit.isSuccess(exit), task === bodies.report)
          assert.deepStrictEqual(seen, Array.from({ length: 1000 }, (_, i) => i + 1))
        }
      })))

  it.live("H5: at most 64 are on their way: then the body waits, and holds no place", () =>
    withPool({ maxThreads: 1 }, (pool) =>
      Effect.gen(function*() {
        const sent = Gate.make()
        const release = yield* Deferred.make<void>()
        const handled: Array<number> = []
        const handle = yield* pool.spawn(bodies.reportTo, sent, 200).pipe(
          Effect.provideService(bodies.Progress, (done) =>
            Effect.andThen(Deferred.await(release), Effect.sync(() => void handled.push(done))))
        )
        yield* Gate.arrived(sent, 63)
        assert.strictEqual(yield* pool.run(bodies.sum, 1).pipe(adds), 1)
        assert.strictEqual((yield* pool.stats).waitingThreads, 1)
        assert.strictEqual(Gate.arrivals(sent), 63)
        yield* Deferred.succeed(release, void 0)
        yield* handle.join
        assert.strictEqual(handled.length, 200)
      })))

  it.live("H5: an abort ends the handler that the body waits for, and the task", () =>
    withPool({ maxThreads: 1, gracePeriod: "1 hour" }, (pool) =>
      Effect.gen(function*() {
        // With one notification, the body waits at its end; with a thousand, in the middle.
        for (const count of [1, 1000]) {
          const called = yield* Deferred.make<void>()
          const handle = yield* pool.spawn(bodies.report, count).pipe(
            Effect.provideService(bodies.Progress, () => Effect.andThen(Deferred.succeed(called, void 0), Effect.never))
          )
          yield* Deferred.await(called)
          yield* Effect.repeat(pool.stats, { until: ({ waitingThreads }) => waitingThreads === 1 })
          yield* handle.abort
          assert.deepInclude(yield* reasonOf(handle.join), { _tag: "Cancelled", stopped: "Checkpoint" })
        }
        assert.strictEqual((yield* pool.stats).threadsStarted, 1)
      })))

  it.live("H2: the defect of a handler panics the task", () =>
    withPool({ maxThreads: 1 }, (pool) =>
      Effect.gen(function*() {
        for (const count of [1, 1000]) {
          const reason = yield* reasonOf(
            pool.run(bodies.report, count).pipe(
              Effect.provideService(bodies.Progress, () => Effect.die(new Error("no progress")))
            )
          )
          assert.strictEqual(reason._tag, "Panicked")
          assert.match(reason.message, /no progress/)
        }
      })))
})

describe("refusals", () => {
  const refusal = <A, E>(effect: Effect.Effect<A, E>) =>
    Effect.map(reasonOf(effect), (reason) => {
      assert.strictEqual(reason._tag, "Panicked")
      const { thrown } = reason as { readonly thrown: { readonly _tag?: string; readonly message: string } }
      assert.strictEqual(thrown._tag, "CallbackRefused")
      return thrown.message
    })

  it.live("a callback that its task does not name, or that is not provided, fails with a message that says what to do", () =>
    withPool({ maxThreads: 1 }, (pool) =>
      Effect.gen(function*() {
        const provided = Effect.provideService(bodies.Unnamed, () => Effect.succeed(1))
        for (const run of [pool.run(bodies.callsUnnamed).pipe(adds), pool.run(bodies.callsWithoutAny)]) {
          assert.match(yield* refusal(run.pipe(provided)), /is not among the callbacks of task .*callbacks: \[/)
        }
        const unprovided = pool.run(bodies.sum, 1) as Effect.Effect<number>
        assert.match(yield* refusal(unprovided), /"test\/Add" is not provided: provide it/)
        const silent = pool.run(bodies.report, 1) as Effect.Effect<number>
        assert.match((yield* reasonOf(silent)).message, /"test\/Progress" is not provided/)
      })))

  it("H7: on the program's own thread it is refused", () => {
    for (const call of [() => bodies.sum.body(1), () => bodies.report.body(1)]) {
      let error: unknown
      try {
        call()
      } catch (thrown) {
        error = thrown
      }
      assert.instanceOf(error, Callback.CallbackRefused)
      assert.match((error as Error).message, /was called on the program's own thread/)
    }
  })

  it.live("outside of a body it is refused", () =>
    Effect.gen(function*() {
      const { close, logged, pool } = yield* closeable({ maxThreads: 1 })
      yield* pool.run(bodies.callsLater).pipe(adds)
      yield* Effect.repeat(Effect.sync(() => logged.length), { until: (count) => count > 0, schedule: poll })
      assert.match(logged.join(), /Uncaught error/)
      yield* close
    }))
})

describe("beside streams", () => {
  it.live("G10: a callback pulls a stream that is open on the only thread, in which its body does not wait", () =>
    withPool({ maxThreads: 1 }, (pool) =>
      Effect.gen(function*() {
        const pull = yield* Stream.toPull(pool.stream(streams.threads))
        const [home] = yield* pull
        const [sum, thread] = yield* pool.run(bodies.whereSummed, 1).pipe(
          Effect.provideService(bodies.Add, (a, b) => pull.pipe(Effect.orDie, Effect.as(a + b)))
        )
        assert.strictEqual(sum, 2)
        assert.notStrictEqual(thread, home)
        // The stream continues, and a task finds a thread.
        assert.strictEqual((yield* pull)[0], home)
        assert.strictEqual(yield* pool.run(tasks.add, 1, 1), 2)
      })))

  it.live("G10: a callback pulls a stream on a pool of one thread; a run that could only wait behind that fails", () =>
    withPool({ maxThreads: 1 }, (pool) =>
      Effect.gen(function*() {
        const total = pool.run(bodies.sum, 1)
        const counted = yield* total.pipe(
          Effect.provideService(bodies.Add, () =>
            Effect.orDie(Stream.runFold(pool.stream(streams.count, 2000), () => 0, (n) => n + 1)))
        )
        assert.strictEqual(counted, 2000)
        const reason = yield* Deferred.make<string>()
        yield* total.pipe(
          Effect.provideService(bodies.Add, () =>
            pool.stream(streams.threads).pipe(
              Stream.runForEach(() =>
                adds(total)
              ),
              reasonOf,
              Effect.flatMap(({ _tag }) => Deferred.succeed(reason, _tag)),
              Effect.orDie,
              Effect.as(0)
            ))
        )
        assert.strictEqual(yield* Deferred.await(reason), "WouldDeadlock")
        assert.deepInclude(yield* pool.stats, { openStreams: 0, threadsStarted: 2 })
      })))

  it.live("G10: on a lease, a body that can wait runs beside no open stream", () =>
    withPool({ maxThreads: 1 }, (pool) =>
      pool.lease((lease) =>
        Effect.gen(function*() {
          const reason = yield* lease.stream(streams.count, 2).pipe(
            Stream.runForEach(() => adds(lease.run(bodies.sum, 1))),
            reasonOf
          )
          assert.strictEqual(reason._tag, "WouldDeadlock")
          assert.strictEqual(yield* adds(lease.run(bodies.sum, 3)), 6)
        })
      )))
})
