/**
 * The rules that hold on every backend: simulated threads, threads and processes. A difference between
 * backends is a bug, unless docs/testing.md lists it.
 */
import { assert, describe, it } from "@effect/vitest"
import { Cause, Effect, Exit, Fiber, Stream } from "effect"
import { Blocking, Task } from "effect-blocking"
import { existsSync, readFileSync } from "node:fs"
import { join } from "node:path"
import { type Backend, poolOf, reasonOf } from "./backend.ts"
import * as tasks from "./tasks.ts"

export const contract = (backend: Backend): void => {
  const withPool = poolOf(backend)

  const noted = (file: string): ReadonlyArray<string> =>
    existsSync(file) ? readFileSync(file, "utf8").trim().split("\n") : []

  describe(`contract: ${backend.name}`, () => {
    // -------------------------------------------------------------------------
    // Submission
    // -------------------------------------------------------------------------

    it.live("S1: a body returns its result, and knows where it runs", () =>
      withPool({ threadData: { seed: 7 } }, (pool) =>
        Effect.gen(function*() {
          assert.strictEqual(yield* pool.run(tasks.add, 1, 2), 3)
          assert.deepStrictEqual(yield* pool.run(tasks.shout, { text: "hi" }), { text: "HI" })
          assert.strictEqual(yield* pool.run(tasks.data), 7)
          assert.isTrue(yield* pool.run(tasks.inPoolThread))
          assert.isFalse(Task.inPoolThread())
        })))

    it.live("S2: tasks start in order of submission", () =>
      withPool({}, (pool, directory) =>
        Effect.gen(function*() {
          const file = join(directory, "order")
          const lines = Array.from({ length: 20 }, (_, i) => `${i}`)
          yield* Effect.forEach(lines, (line) => pool.run(tasks.note, file, line), { concurrency: "unbounded" })
          assert.deepStrictEqual(noted(file), lines)
        })))

    it.live("S3: a body has its own copy of the arguments, and moved values are gone", () =>
      withPool({}, (pool) =>
        Effect.gen(function*() {
          const list = [1, 2, 3]
          assert.strictEqual(yield* pool.run(tasks.empties, list), 3)
          assert.deepStrictEqual(list, [1, 2, 3])
          const bytes = new Uint8Array(8)
          assert.strictEqual(yield* Effect.suspend(() => pool.run(tasks.bytesOf, Task.move(bytes))), 8)
          assert.strictEqual(bytes.byteLength, 0)
        })))

    it.live("N3: a body reads the number of its attempt, and other bodies do not", () =>
      withPool({ maxThreads: 1 }, (pool) =>
        Effect.gen(function*() {
          assert.strictEqual(yield* pool.run(tasks.attempted, "a"), "a 1")
          assert.strictEqual(yield* pool.run(Task.with(tasks.attempted, { attempt: 3 }), "a"), "a 3")
          assert.strictEqual(yield* pool.run(Task.with(tasks.attempt, { attempt: 2 })), 2)
          assert.strictEqual(yield* pool.run(tasks.attempt), 1)
          assert.strictEqual(Task.attempt(), 1)
        })))

    it.live("S4: a value that cannot cross fails only its own task, with its path", () =>
      withPool({}, (pool) =>
        Effect.gen(function*() {
          const bad = { text: "x", deep: [{ onDone: () => {} }] } as unknown as { readonly text: string }
          assert.deepInclude(yield* reasonOf(pool.run(tasks.shout, bad)), {
            _tag: "NotCloneable",
            side: "argument",
            path: "arguments[0].deep[0].onDone"
          })
          assert.deepInclude(yield* reasonOf(pool.run(tasks.uncloneable)), {
            _tag: "NotCloneable",
            side: "success",
            path: "result.rows[0].toJSON"
          })
          assert.strictEqual(yield* pool.run(tasks.add, 1, 2), 3)
        })))

    it.live("S5: a full queue fails, or suspends, and a suspended submitter can be interrupted", () =>
      withPool(
        { queueCapacity: 1, onFull: "fail" },
        (failing, directory) =>
          withPool({ queueCapacity: 1 }, (suspending, other) =>
            Effect.gen(function*() {
              const held = yield* backend.hold(failing, directory, { polite: false })
              const queued = yield* failing.spawnDetached(tasks.add, 1, 1)
              assert.deepInclude(yield* reasonOf(failing.run(tasks.add, 1, 1)), { _tag: "QueueFull", capacity: 1 })
              yield* held.release
              assert.strictEqual(yield* queued.join, 2)

              const second = yield* backend.hold(suspending, other, { polite: false })
              yield* suspending.spawnDetached(tasks.add, 1, 1)
              const suspended = yield* Effect.forkChild(suspending.run(tasks.add, 2, 2), { startImmediately: true })
              const interrupted = yield* Effect.forkChild(suspending.run(tasks.add, 3, 3), { startImmediately: true })
              assert.strictEqual((yield* suspending.stats).suspended, 2)
              yield* Fiber.interrupt(interrupted)
              assert.strictEqual((yield* suspending.stats).suspended, 1)
              yield* second.release
              assert.strictEqual(yield* Fiber.join(suspended), 4)
            }))
      ))

    // -------------------------------------------------------------------------
    // Errors
    // -------------------------------------------------------------------------

    it.live("E1: a domain error arrives complete, and with `errors` as an instance of its class", () =>
      withPool({}, (pool) =>
        Effect.gen(function*() {
          assert.strictEqual(yield* pool.run(tasks.halve, 8), 4)
          assert.deepStrictEqual(yield* Effect.flip(pool.run(tasks.halve, 3)), { _tag: "Odd", n: 3 })
          const plain = yield* Effect.flip(pool.run(tasks.find, 7))
          assert.isFalse(plain instanceof tasks.NotFound)
          assert.deepInclude(plain, { _tag: "NotFound", name: "NotFound", message: "no user 7", id: 7 })
          assert.instanceOf((plain as Error).cause, RangeError)
          assert.include((plain as Error).stack, "contract/tasks.ts")
          const classy = yield* Effect.flip(pool.run(tasks.findWithClass, 7))
          assert.instanceOf(classy, tasks.NotFound)
          assert.deepInclude(classy, { _tag: "NotFound", id: 7, message: "no user 7" })
        })))

    it.live("E2: a panic keeps the thrown value and names its task", () =>
      withPool({}, (pool) =>
        Effect.gen(function*() {
          const exit = yield* Effect.exit(pool.run(tasks.panics, undefined))
          assert.isTrue(Exit.isFailure(exit))
          const reason = yield* reasonOf(pool.run(tasks.panics, undefined))
          if (reason._tag !== "Panicked") assert.fail(reason._tag)
          assert.instanceOf(reason.thrown, TypeError)
          assert.strictEqual((reason.thrown as Error).message, "a bug")
          assert.strictEqual(((reason.thrown as Error).cause as Error).message, "its cause")
          const pretty = Exit.isFailure(exit) ? Cause.pretty(exit.cause) : ""
          assert.include(pretty, "panics")
          assert.include(pretty, "contract/tasks.ts")
          assert.deepInclude(yield* reasonOf(pool.run(tasks.panics, { code: 4 })), { thrown: { code: 4 } })
        })))

    // -------------------------------------------------------------------------
    // Cancellation
    // -------------------------------------------------------------------------

    it.live("C1: if aborted while queued, the body never runs", () =>
      withPool({}, (pool, directory) =>
        Effect.gen(function*() {
          const file = join(directory, "ran")
          const held = yield* backend.hold(pool, directory, { polite: false })
          const queued = yield* pool.spawnDetached(tasks.note, file, "ran")
          assert.strictEqual((yield* queued.status)._tag, "Queued")
          yield* queued.abort
          assert.deepInclude(yield* reasonOf(queued.join), { _tag: "Cancelled", stage: "Queued", by: "Abort" })
          yield* held.release
          assert.strictEqual(yield* held.handle.join, "held")
          assert.deepStrictEqual(noted(file), [])
        })))

    it.live("C2: a body that ignores the stop ends with its thread, and tasks behind it run elsewhere", () =>
      withPool({ gracePeriod: 20 }, (pool, directory) =>
        Effect.gen(function*() {
          const file = join(directory, "ran")
          const held = yield* backend.hold(pool, directory, { polite: false })
          const behind = yield* pool.spawnDetached(tasks.note, file, "behind")
          yield* held.handle.abort
          assert.deepInclude(yield* reasonOf(held.handle.join), {
            _tag: "Cancelled",
            stage: "Running",
            by: "Abort",
            stopped: "Terminated"
          })
          yield* behind.join
          assert.deepStrictEqual(noted(file), ["behind"])
        })))

    it.live("C2: onInterrupt \"abandon\" returns at once, and the thread stays busy", () =>
      withPool({ gracePeriod: 20, shutdownTimeout: 60_000 }, (pool, directory) =>
        Effect.gen(function*() {
          const held = yield* backend.hold(pool, directory, { polite: false, onInterrupt: "abandon" })
          yield* held.handle.abort
          assert.strictEqual((yield* pool.stats).running.length, 1)
          const queued = yield* pool.spawnDetached(tasks.add, 1, 1)
          assert.strictEqual((yield* queued.status)._tag, "Queued")
          yield* held.release
          assert.strictEqual(yield* queued.join, 2)
        })))

    it.live("C3: a checkpoint leaves the body, and its thread takes the next task", () =>
      withPool({ gracePeriod: 60_000 }, (pool, directory) =>
        Effect.gen(function*() {
          const before = yield* pool.run(tasks.count)
          const held = yield* backend.hold(pool, directory, { polite: true })
          const abort = yield* Effect.forkChild(held.handle.abort, { startImmediately: true })
          // On the test's own thread, a held body reads the flag when it continues.
          yield* held.release
          yield* Fiber.join(abort)
          assert.strictEqual(yield* pool.run(tasks.count), before + 1, "it is the same thread")
          assert.strictEqual((yield* pool.stats).threadsStarted, 1)
        })))

    it.live("C2: timeLimit counts from the start of the body, and the error says how it was stopped", () =>
      withPool({ gracePeriod: 20 }, (pool, directory) =>
        Effect.gen(function*() {
          const held = yield* backend.hold(pool, directory, { polite: false, timeLimit: 30 })
          assert.deepInclude(yield* reasonOf(held.handle.join), {
            _tag: "TimedOut",
            limitMillis: 30,
            stopped: "Terminated"
          })
        })))

    it.live("queueTimeLimit ends a task that has not started", () =>
      withPool({}, (pool, directory) =>
        Effect.gen(function*() {
          const held = yield* backend.hold(pool, directory, { polite: false })
          const limited = Task.with(tasks.add, { queueTimeLimit: 30 })
          assert.deepInclude(yield* reasonOf(pool.run(limited, 1, 1)), { _tag: "QueueTimedOut", limitMillis: 30 })
          yield* held.release
        })))

    it.live("C5: aborting a finished task does nothing, and join can be called many times", () =>
      withPool({}, (pool) =>
        Effect.gen(function*() {
          const handle = yield* pool.spawnDetached(tasks.add, 1, 2)
          assert.deepStrictEqual(yield* Effect.all([handle.join, handle.join], { concurrency: 2 }), [3, 3])
          yield* handle.abort
          assert.strictEqual(yield* handle.join, 3)
          assert.strictEqual((yield* handle.status)._tag, "Done")
        })))

    it.live("C6: the close of a scope aborts the tasks spawned in it", () =>
      withPool({}, (pool, directory) =>
        Effect.gen(function*() {
          const held = yield* backend.hold(pool, directory, { polite: false })
          const handle = yield* Effect.scoped(pool.spawn(tasks.add, 1, 1))
          assert.deepInclude(yield* reasonOf(handle.join), { _tag: "Cancelled", by: "Abort" })
          yield* held.release
        })))

    // -------------------------------------------------------------------------
    // Leases, state and shutdown
    // -------------------------------------------------------------------------

    it.live("a lease keeps its thread and its values for several calls", () =>
      withPool({}, (pool) =>
        Effect.gen(function*() {
          const [counts, other] = yield* pool.lease((lease) =>
            Effect.gen(function*() {
              const waits = yield* Effect.forkChild(pool.run(tasks.add, 1, 1), { startImmediately: true })
              const counts = yield* Effect.forEach([1, 2, 3], () => lease.run(tasks.count))
              assert.isUndefined(waits.pollUnsafe())
              return [counts, waits] as const
            })
          )
          assert.deepStrictEqual(counts, [1, 2, 3])
          assert.strictEqual(yield* Fiber.join(other), 2)
        })))

    it.live("D1, D2: a shutdown refuses new tasks, cancels queued ones, and runs mandatory ones", () =>
      withPool({ shutdownTimeout: 60_000 }, (pool, directory) =>
        Effect.gen(function*() {
          const file = join(directory, "ran")
          const held = yield* backend.hold(pool, directory, { polite: false })
          const queued = yield* pool.spawnDetached(tasks.note, file, "queued")
          const mandatory = yield* pool.spawnDetached(Task.with(tasks.note, { mandatory: true }), file, "mandatory")
          const closing = yield* Effect.forkChild(backend.close(pool), { startImmediately: true })
          assert.deepInclude(yield* reasonOf(queued.join), { _tag: "Cancelled", by: "Shutdown", stage: "Queued" })
          assert.strictEqual((yield* reasonOf(pool.run(tasks.add, 1, 1)))._tag, "ShutDown")
          assert.isUndefined(closing.pollUnsafe(), "it waits for what runs")
          yield* held.release
          yield* mandatory.join
          assert.strictEqual(yield* held.handle.join, "held")
          yield* Fiber.join(closing)
          assert.deepStrictEqual(noted(file), ["mandatory"])
        })))

    it.live("D3, D4: after shutdownTimeout, running tasks are stopped and the shutdown ends", () =>
      withPool({ shutdownTimeout: 20, gracePeriod: 20 }, (pool, directory) =>
        Effect.gen(function*() {
          const held = yield* backend.hold(pool, directory, { polite: false })
          yield* backend.close(pool)
          assert.deepInclude(yield* reasonOf(held.handle.join), {
            _tag: "Cancelled",
            stage: "Running",
            by: "Shutdown",
            stopped: "Terminated"
          })
        })))

    // -------------------------------------------------------------------------
    // Events
    // -------------------------------------------------------------------------

    it.live("W4: each listener gets the events of tasks from the time it starts listening", () =>
      withPool({}, (pool) =>
        Effect.gen(function*() {
          yield* pool.run(tasks.add, 1, 1)
          const listen = (ends: number) =>
            Effect.forkChild(
              Stream.runCollect(Stream.takeUntil(pool.events, (event) => event._tag === "Ended" && --ends === 0)),
              { startImmediately: true }
            )
          const both = yield* listen(2)
          yield* pool.run(tasks.add, 1, 2)
          const one = yield* listen(1)
          const failed = yield* Effect.flip(pool.run(tasks.panics, undefined))
          const events = yield* Fiber.join(both)
          assert.deepStrictEqual(
            events.map((event) => event._tag === "Dropped" ? "Dropped" : `${event._tag} ${event.id} ${event.task}`),
            ["Queued 2 add", "Started 2 add", "Ended 2 add", "Queued 3 panics", "Started 3 panics", "Ended 3 panics"]
          )
          assert.deepInclude(events[2], { outcome: "Succeeded", error: undefined, module: tasks.add.module })
          assert.deepInclude(events[5], { outcome: "Panicked", error: failed })
          for (const event of events) {
            if (event._tag === "Ended") assert.isAtLeast(event.runMillis!, 0)
            if (event._tag === "Started") assert.isAtLeast(event.queueWaitMillis, 0)
          }
          assert.deepStrictEqual(yield* Fiber.join(one), events.slice(3))
          assert.include((yield* Blocking.pools).map(({ events }) => events), pool.events)
        })))

    it.live("W4: stops are events, and a closed pool is not listed as open", () =>
      Effect.gen(function*() {
        let open: Blocking.Pool | undefined
        yield* withPool({ shutdownTimeout: 20, gracePeriod: 20 }, (pool, directory) =>
          Effect.gen(function*() {
            open = pool
            const listener = yield* Effect.forkChild(
              Stream.runCollect(Stream.takeUntil(pool.events, ({ _tag }) => _tag === "Ended")),
              { startImmediately: true }
            )
            const held = yield* backend.hold(pool, directory, { polite: false })
            yield* Effect.forkChild(held.handle.abort, { startImmediately: true })
            const events = yield* Fiber.join(listener)
            assert.deepStrictEqual(events.map(({ _tag }) => _tag), [
              "Queued",
              "Started",
              "StopRequested",
              "Terminated",
              "Ended"
            ])
            assert.deepInclude(events[2], { by: "Abort", task: "hold" })
          }))
        assert.notInclude((yield* Blocking.pools).map(({ events }) => events), open!.events)
      }))
  })
}
