/** The rules of callbacks on every backend. */
import { assert, describe, it } from "@effect/vitest"
import { Context, Deferred, Effect, Fiber, Option, Stream } from "effect"
import { Blocking, Callback, type JoinError, Task } from "effect-blocking"
import { existsSync } from "node:fs"
import { join } from "node:path"
import { type Backend, liveIf, poolOf, reasonOf } from "./backend.ts"
import * as bodies from "./callbackTasks.ts"
import * as tasks from "./tasks.ts"

const adds = Effect.provideService(bodies.Add, (a, b) => Effect.succeed(a + b))

/** Signals that it was called, and never answers. */
const neverAdds = (called: Deferred.Deferred<void>, onInterrupt: () => void) =>
  Effect.provideService(bodies.Add, () =>
    Deferred.succeed(called, void 0).pipe(
      Effect.andThen(Effect.never),
      Effect.onInterrupt(() => Effect.sync(onInterrupt))
    ))

const arrayTo = (end: number): ReadonlyArray<number> => Array.from({ length: end }, (_, n) => n)

export const callbackContract = (backend: Backend): void => {
  const withPool = poolOf(backend)
  const whenReal = liveIf(backend.real)
  // On threads, only the pool can end a waiting thread (tested in packages/blocking).
  const onProcesses = liveIf(backend.name === "processes")
  /** Makes a callback asynchronous, on backends where it can be. */
  const later = backend.real ? Effect.yieldNow : Effect.void

  describe(`callback contract: ${backend.name}`, () => {
    it.live("H1: a callback has the services, references and span of the caller, and is interrupted with it", () =>
      withPool({}, (pool) =>
        Effect.gen(function*() {
          class Offset extends Context.Service<Offset, number>()("contract/Offset") {}
          const Level = Context.Reference("contract/Level", { defaultValue: () => 0 })
          const seen: Array<unknown> = []
          const handler = Effect.map(Offset, (offset) => (a: number, b: number) =>
            Effect.gen(function*() {
              const span = yield* Effect.currentSpan
              const parent = Option.getOrUndefined(span.parent)
              seen.push(yield* Level, span.name, parent?._tag === "Span" ? parent.name : undefined)
              return a + b + offset
            }).pipe(Effect.orDie))
          const add = yield* Effect.provideService(handler, Offset, 100)
          for (
            const total of [
              pool.run(bodies.sum, 1),
              pool.lease((lease) => lease.run(bodies.sum, 1)),
              Effect.flatMap(pool.spawn(bodies.sum, 1), (handle) => handle.join),
              Effect.map(Stream.runCollect(pool.stream(bodies.asked, 1)), ([first]) => first! - 1000)
            ]
          ) {
            const called = Effect.provideService(total, bodies.Add, add)
            assert.strictEqual(yield* Effect.provideService(Effect.withSpan(called, "caller"), Level, 7), 101)
          }
          const span = (task: string) => [7, "callback contract/Add", `task ${task}`]
          assert.deepStrictEqual(seen, [...span("sum"), ...span("sum"), ...span("sum"), ...span("asked")])
        })))

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

    it.live("H5: notifications arrive in order, and all of them before the result", () =>
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

    it.live("H5: notifications can be read as a stream, which ends or fails like the task", () =>
      withPool({}, (pool) =>
        Effect.gen(function*() {
          const sent = Blocking.notifications(pool.run(bodies.logs, 50), bodies.Log)
          assert.deepStrictEqual(yield* Stream.runCollect(sent), arrayTo(51).slice(1).map((n) => [n]))
          const first = yield* Stream.runCollect(Stream.take(sent, 3))
          assert.deepStrictEqual(first, [[1], [2], [3]])
          assert.strictEqual(yield* adds(pool.run(bodies.sum, 10)), 55)
          const failing = Blocking.notifications(
            Effect.andThen(pool.run(bodies.logs, 2), Effect.fail("no")),
            bodies.Log
          )
          const seen: Array<number> = []
          const failure = yield* Effect.flip(Stream.runForEach(failing, ([n]) => Effect.sync(() => void seen.push(n))))
          assert.deepStrictEqual([failure, seen], ["no", [1, 2]])
        })))

    it.live("H5: all notifications of a stream's body are handled, in order, before the stream ends", () =>
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

    it.live("H6: the body of a stream can call and notify between its elements", () =>
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

    it.live("H6: the body of a pipe can call and notify between its elements", () =>
      withPool({}, (pool) =>
        Effect.gen(function*() {
          const piped = yield* adds(Stream.runCollect(Stream.range(1, 300).pipe(pool.pipe(bodies.addedTo))))
          assert.deepStrictEqual(piped, arrayTo(301).slice(1).map((n) => n + 1000))
        })))

    it.live("H6: a body that asks with yield* is suspended until answered, and its thread runs other tasks", () =>
      withPool({ maxThreads: 1 }, (pool) =>
        Effect.gen(function*() {
          let calls = 0
          const elements = yield* Stream.runCollect(pool.stream(bodies.asked, 100)).pipe(
            Effect.provideService(bodies.Add, (a, b) =>
              Effect.gen(function*() {
                // A task on the only thread, while the body on it waits.
                if (calls++ % 10 === 0) assert.strictEqual(yield* pool.run(tasks.add, 1, 1), 2)
                yield* Effect.yieldNow
                return a + b
              }).pipe(Effect.orDie))
          )
          assert.deepStrictEqual(elements, arrayTo(101).slice(1).map((n) => n + 1000))
          assert.deepInclude(yield* pool.stats, { threadsStarted: 1, waitingThreads: 0, openStreams: 0 })
        })))

    it.live("H6: the body of a pipe can ask with yield*; elements and answers keep their order", () =>
      withPool({}, (pool) =>
        Effect.gen(function*() {
          const piped = yield* Stream.range(1, 300).pipe(
            pool.pipe(bodies.askedFor),
            Stream.runCollect,
            Effect.provideService(bodies.Add, (a, b) => Effect.as(Effect.yieldNow, a + b))
          )
          assert.deepStrictEqual(piped, arrayTo(301).slice(1).map((n) => n % 2 === 0 ? n : n + 1000))
        })))

    it.live("H6, H2: a failure is a Result, a defect a panic after the yielded elements", () =>
      withPool({}, (pool) =>
        Effect.gen(function*() {
          const elements: Array<unknown> = []
          const reason = yield* pool.stream(bodies.found, ["a", "z", "f"]).pipe(
            Stream.runForEach((element) => Effect.sync(() => void elements.push(element))),
            Effect.provideService(bodies.Find, (id) =>
              Effect.andThen(
                Effect.yieldNow,
                id === "a"
                  ? Effect.succeed({ of: [id] })
                  : id === "z"
                  ? Effect.fail(new bodies.Missing(id))
                  : Effect.die(new Error("a defect"))
              )),
            reasonOf
          )
          assert.deepStrictEqual(elements, [{ of: ["a"] }, "nothing called z, true"])
          assert.strictEqual(reason._tag, "Panicked")
          assert.include(String((reason as { readonly thrown: unknown }).thrown), "a defect")
          const lost = yield* reasonOf(
            Stream.runDrain(pool.stream(bodies.found, ["f"])).pipe(
              Effect.provideService(bodies.Find, () => Effect.succeed(() => 1))
            )
          )
          assert.strictEqual(lost._tag, "NotCloneable")
        })))

    it.live("H6, G1: a body that asks runs no further ahead of its consumer than other bodies", () =>
      withPool({}, (pool) =>
        Effect.gen(function*() {
          let calls = 0
          const pull = yield* Stream.toPull(pool.stream(bodies.asked, 1_000_000)).pipe(
            Effect.provideService(bodies.Add, () => Effect.sync(() => calls++))
          )
          for (let consumed = 1; consumed <= 5; consumed++) {
            assert.strictEqual((yield* pull).length, 1)
            yield* Effect.repeat(pool.run(tasks.add, 1, 1), { times: 5 })
            // Each call ends a chunk: at most two chunks are ahead, plus the requested one.
            assert.isAtMost(calls, consumed + 3)
          }
        })))

    it.live("H6, H3: closing a stream interrupts the callback of its body, and the body's finally blocks run", () =>
      withPool({ gracePeriod: 3_600_000, shutdownTimeout: 0 }, (pool, directory) =>
        Effect.gen(function*() {
          for (const how of ["interruption", "time limit", "shutdown"] as const) {
            const file = join(directory, how)
            const called = yield* Deferred.make<void>()
            let interrupted = 0
            const task = how === "time limit" ? Task.with(bodies.asksOnce, { timeLimit: "20 millis" }) : bodies.asksOnce
            const fiber = yield* Stream.runDrain(pool.stream(task, file)).pipe(
              neverAdds(called, () => void interrupted++),
              Effect.forkChild
            )
            yield* Deferred.await(called)
            assert.strictEqual((yield* pool.stats).waitingThreads, 0)
            if (how === "interruption") {
              yield* Fiber.interrupt(fiber)
            } else {
              if (how === "shutdown") yield* backend.close(pool)
              const reason = yield* reasonOf(Fiber.join(fiber))
              assert.deepInclude(
                reason,
                how === "shutdown"
                  ? { _tag: "Cancelled", by: "Shutdown", stopped: "Checkpoint" }
                  : { _tag: "TimedOut", stopped: "Checkpoint" }
              )
            }
            assert.deepStrictEqual([how, interrupted, existsSync(file)], [how, 1, true])
          }
        })))

    it.live("H6: a body that asks while it is being closed leaves as if stopped", () =>
      withPool({}, (pool, directory) =>
        Effect.gen(function*() {
          const file = join(directory, "left")
          const taken = yield* adds(Stream.runCollect(Stream.take(pool.stream(bodies.asksInItsEnd, file), 1)))
          assert.deepStrictEqual([taken, existsSync(file)], [[0], true])
          assert.deepInclude((yield* pool.stats).outcomes, { Panicked: 0 })
        })))

    it.live("H6: a thread that dies while its body waits for an answer fails the stream and interrupts the callback", () =>
      withPool({}, (pool, directory) =>
        Effect.gen(function*() {
          const called = yield* Deferred.make<void>()
          let interrupted = 0
          const fiber = yield* Stream.runDrain(pool.stream(bodies.asksOnce, join(directory, "left"))).pipe(
            neverAdds(called, () => void interrupted++),
            Effect.forkChild
          )
          yield* Deferred.await(called)
          yield* backend.kill(pool)
          const reason = yield* reasonOf(Fiber.join(fiber))
          assert.strictEqual(reason._tag, "WorkerExited")
          assert.strictEqual(interrupted, 1)
          assert.deepStrictEqual(yield* adds(Stream.runCollect(pool.stream(bodies.asked, 2))), [1001, 1002])
        })))

    it.live("H6, H4: questions of bodies nest on a pool of one thread; beyond the bound they fail", () =>
      // No thread retires to make room.
      withPool({ keepAlive: 3_600_000 }, (pool) =>
        Effect.gen(function*() {
          const nested = (depth: number): Effect.Effect<number, unknown> =>
            Stream.runFold(pool.stream(bodies.asked, 1), () => 0, (sum, n) => sum + n).pipe(
              Effect.provideService(bodies.Add, (a, b) =>
                depth === 1
                  ? Effect.succeed(a + b)
                  : Effect.map(Effect.orDie(nested(depth - 1)), (below) => a + b + below))
            )
          assert.strictEqual(yield* nested(2), 2002)
          const reason = yield* reasonOf(nested(3))
          assert.strictEqual(reason._tag, "Panicked")
          assert.deepInclude((yield* pool.stats).outcomes, { WouldDeadlock: 1, Panicked: 2 })
          assert.strictEqual(yield* nested(2), 2002)
        })))

    it.live("H6, H4: the thread of an exclusive stream gives up its place while the body waits for an answer", () =>
      withPool({}, (pool) =>
        Effect.gen(function*() {
          const exclusive = Task.with(bodies.asked, { exclusive: true })
          const elements = yield* Stream.runCollect(pool.stream(exclusive, 2)).pipe(
            Effect.provideService(bodies.Add, (a, b) =>
              Effect.map(Effect.orDie(adds(Stream.runCollect(pool.stream(bodies.asked, 1)))), ([below]) =>
                a + b + below!))
          )
          assert.deepStrictEqual(elements, [2002, 2003])
          assert.deepInclude(yield* pool.stats, { waitingThreads: 0, openStreams: 0 })
          assert.strictEqual(yield* pool.run(tasks.add, 1, 1), 2)
        })))

    it.live("H6: on a lease, a callback can call the thread that its body is suspended in", () =>
      withPool({}, (pool) =>
        pool.lease((lease) =>
          Effect.gen(function*() {
            const elements = yield* Stream.runCollect(lease.stream(bodies.asked, 2)).pipe(
              Effect.provideService(bodies.Add, (a, b) => Effect.orDie(lease.run(tasks.add, a, b)))
            )
            assert.deepStrictEqual(elements, [1001, 1002])
          })
        )))

    it.live("H6: an invalid question fails with a message that says so", () =>
      withPool({}, (pool) =>
        Effect.gen(function*() {
          const run = (how: string) => adds(Stream.runCollect(pool.stream(bodies.misasked, how)))
          assert.deepStrictEqual(yield* run(""), [1, "contract/Add.arguments[1].rows[0]"])
          const noStar = yield* reasonOf(run("no star"))
          assert.deepInclude(noStar, { _tag: "NotCloneable", side: "success", path: "elements[1].read" })
          for (const how of ["spread", "inner"]) {
            const reason = yield* reasonOf(run(how))
            assert.strictEqual(reason._tag, "Panicked")
            assert.match(reason.message, /write yield\* in the body itself/)
          }
          assert.match((yield* reasonOf(adds(pool.run(bodies.askedInRun)))).message, /use call/)
          assert.match(
            (yield* reasonOf(Stream.runDrain(pool.stream(bodies.notNamedAsked)))).message,
            /is not among the callbacks/
          )
          assert.throws(() => Array.from(bodies.notNamedAsked.body()), /on the program's own thread/)
        })))

    it.live("H7: a callback that the task does not name is refused, and so is a call outside of a pool", () =>
      withPool({}, (pool) =>
        Effect.gen(function*() {
          // Although it is provided: a task has only the callbacks of its type.
          const reason = yield* pool.run(bodies.notNamed).pipe(
            Effect.provideService(bodies.Find, () => Effect.succeed("")),
            adds,
            reasonOf
          )
          assert.strictEqual(reason._tag, "Panicked")
          assert.include(String((reason as { readonly thrown: unknown }).thrown), "is not among the callbacks of task")
          assert.throws(() => bodies.notNamed.body(), /on the program's own thread/)
        })))

    whenReal(
      "H4: a callback runs tasks on its own body's pool of one thread; beyond the bound they fail",
      () =>
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
          }))
    )

    whenReal(
      "H3: an abort wakes a waiting body, which leaves through its finally blocks",
      () =>
        withPool({ gracePeriod: 3_600_000 }, (pool, directory) =>
          Effect.gen(function*() {
            const file = join(directory, "left")
            const called = yield* Deferred.make<void>()
            let interrupted = 0
            const fiber = yield* pool.run(bodies.waits, file).pipe(
              neverAdds(called, () => void interrupted++),
              Effect.forkChild
            )
            yield* Deferred.await(called)
            // The thread waits once the callback has not answered synchronously.
            yield* Effect.yieldNow
            assert.strictEqual((yield* pool.stats).waitingThreads, 1)
            yield* Fiber.interrupt(fiber)
            assert.deepStrictEqual([interrupted, existsSync(file)], [1, true])
            // It is the only thread, and it survived.
            assert.strictEqual(yield* adds(pool.run(bodies.sum, 3)), 6)
            assert.deepInclude(yield* pool.stats, { threadsStarted: 1, waitingThreads: 0 })
          }))
    )

    onProcesses(
      "H4: killing a process while its body waits fails the task and interrupts the callback",
      () =>
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
            process.kill(threadId, "SIGKILL")
            const reason = yield* reasonOf(Fiber.join(fiber))
            assert.strictEqual(reason._tag, "WorkerExited")
            assert.strictEqual(interrupted, 1)
            assert.strictEqual(yield* adds(pool.run(bodies.sum, 3)), 6)
          }))
    )

    whenReal(
      "G6, H3: a shutdown wakes a waiting body, within its bound",
      () =>
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
          }))
    )

    liveIf(!backend.real)(
      "H6: a callback that does not answer at once is refused, and says why",
      () =>
        withPool({}, (pool) =>
          Effect.gen(function*() {
            let interrupted = 0
            const reason = yield* reasonOf(
              pool.run(bodies.sum, 1).pipe(
                Effect.provideService(
                  bodies.Add,
                  () => Effect.onInterrupt(Effect.never, () => Effect.sync(() => interrupted++))
                )
              )
            )
            assert.strictEqual(reason._tag, "Panicked")
            assert.include(String((reason as { readonly thrown: unknown }).thrown), "cannot wait")
            assert.strictEqual(interrupted, 1)
            assert.isTrue(Callback.isCallback(bodies.Add))
          }))
    )
  })
}
