/** The rules of `Parallel` (R1 to R5) on every backend. */
import { assert, describe, it } from "@effect/vitest"
import { Cause, Effect, Exit, Fiber, Logger, Option, Schedule, Stream } from "effect"
import { Blocking, JoinError, Parallel, Task } from "effect-blocking"
import { existsSync, readFileSync } from "node:fs"
import { join } from "node:path"
import { type Backend, liveIf, poolOf } from "./backend.ts"
import * as schemas from "./parallelSchemaTasks.ts"
import * as tasks from "./parallelTasks.ts"
import * as others from "./tasks.ts"

const numbersTo = (end: number): Array<number> => Array.from({ length: end }, (_, n) => n)

const peopleTo = (end: number): ReadonlyArray<tasks.Person> => numbersTo(end).map((id) => ({ id, name: `name ${id}` }))

/** Makes numbered steps, some with given actions. */
const stepsTo = (
  end: number,
  file: string | undefined,
  given: Readonly<Record<number, Omit<tasks.Step, "id">>>
): ReadonlyArray<tasks.Step> => numbersTo(end).map((id) => ({ id, file, ...given[id] }))

const linesOf = (file: string): ReadonlyArray<string> =>
  existsSync(file) ? readFileSync(file, "utf8").trim().split("\n") : []

const on = (pool: Blocking.Pool) => <A, E, R>(effect: Effect.Effect<A, E, R>) =>
  Effect.provideService(effect, Blocking.Blocking, pool)

/** The error of a failed run, and the index it reports. */
const failureOf = <A, E>(effect: Effect.Effect<A, E>) =>
  Effect.map(Effect.exit(effect), (exit) => {
    if (Exit.isSuccess(exit)) return assert.fail("succeeded")
    const error: unknown = Cause.squash(exit.cause)
    return { error, index: Option.getOrUndefined(Parallel.failedIndex(exit.cause)) }
  })

const joinErrorOf = <A, E>(effect: Effect.Effect<A, E>) =>
  Effect.map(failureOf(effect), ({ error, index }) => {
    if (!JoinError.isJoinError(error)) return assert.fail(`not a JoinError: ${String(error)}`)
    return { error, index, reason: error.reason }
  })

export const parallelContract = (backend: Backend): void => {
  const withPool = poolOf(backend)
  const whenReal = liveIf(backend.real)
  const sharesMemory = backend.name === "threads"
  const whenShared = liveIf(sharesMemory)

  const noted = (file: string) =>
    Effect.repeat(Effect.sync(() => existsSync(file)), {
      until: (exists) => exists,
      schedule: Schedule.spaced("2 millis")
    })

  describe(`parallel contract: ${backend.name}`, () => {
    // -------------------------------------------------------------------------
    // R1
    // -------------------------------------------------------------------------

    it.live("R1 map keeps the order, for numbers, objects, and values of every kind", () =>
      withPool({ maxThreads: 2 }, (pool) =>
        Effect.gen(function*() {
          const numbers = numbersTo(5000)
          assert.deepStrictEqual(yield* on(pool)(Parallel.map(tasks.square, numbers)), numbers.map((n) => n * n))
          const people = peopleTo(3000)
          assert.deepStrictEqual(
            yield* on(pool)(Parallel.map(tasks.greet, people)),
            people.map(({ id, name }) => ({ id, text: `hello ${name}` }))
          )
          assert.deepStrictEqual(yield* on(pool)(Parallel.map(tasks.idOf, new Set(people))), people.map(({ id }) => id))
          assert.deepStrictEqual(
            yield* on(pool)(Parallel.map(tasks.valueOf, numbers)),
            numbers.map((n) => tasks.values[n % tasks.values.length])
          )
          assert.deepStrictEqual(yield* on(pool)(Parallel.map(tasks.square, Float32Array.of(0.5, 2))), [0.25, 4])
          assert.deepStrictEqual(yield* on(pool)(Parallel.map(tasks.square, [])), [])
        })))

    it.live("R1 filter, find, forEach and reduce keep the order", () =>
      withPool({ maxThreads: 2 }, (pool, directory) =>
        Effect.gen(function*() {
          const numbers = numbersTo(3000)
          const people = peopleTo(2000)
          assert.deepStrictEqual(
            yield* on(pool)(Parallel.filter(tasks.isEven, numbers)),
            numbers.filter((n) => n % 2 === 0)
          )
          // The same objects, not copies.
          const wanted = yield* on(pool)(Parallel.filter(tasks.isWanted, people))
          assert.deepStrictEqual(wanted, people.filter(({ name }) => name.endsWith("7")))
          assert.strictEqual(wanted[3], people[37])
          assert.deepStrictEqual(yield* on(pool)(Parallel.find(tasks.isEven, [5, 7, 8, 9, 10])), Option.some(8))
          assert.deepStrictEqual(yield* on(pool)(Parallel.find(tasks.isEven, [5, 7])), Option.none())
          const found = yield* on(pool)(Parallel.find(tasks.isWanted, people))
          assert.strictEqual(Option.getOrThrow(found), people[7])
          const any = yield* on(pool)(Parallel.find(tasks.isEven, numbers, { which: "any" }))
          assert.strictEqual(Option.getOrThrow(any) % 2, 0)
          const file = join(directory, "notes")
          yield* on(pool)(Parallel.forEach(tasks.step, stepsTo(50, file, {})))
          assert.deepStrictEqual(linesOf(file).map(Number).sort((a, b) => a - b), numbersTo(50))
          // Not commutative: the order of the parts matters.
          const text = yield* on(pool)(
            Parallel.reduce(tasks.append, numbers, { initial: "", combine: tasks.concat })
          )
          assert.strictEqual(text, numbers.map((n) => `${n},`).join(""))
          const ids = yield* on(pool)(Parallel.reduce(tasks.push, people, { initial: [], combine: tasks.join }))
          assert.deepStrictEqual(ids, people.map(({ id }) => id))
          assert.strictEqual(
            yield* on(pool)(Parallel.reduce(tasks.add, [], { initial: 7, combine: tasks.add })),
            7
          )
        })))

    it.live("R1 values cross through their schemas, and an invalid one is reported with its item", () =>
      withPool({ maxThreads: 2 }, (pool) =>
        Effect.gen(function*() {
          const dates = numbersTo(40).map((n) => new Date(Date.UTC(1990 + n, 0, 1 + n % 3)))
          const years = dates.map((date) =>
            date.getUTCDate() % 2 === 0 ? Option.some(date.getUTCFullYear()) : Option.none()
          )
          assert.deepStrictEqual(yield* on(pool)(Parallel.map(schemas.yearOf, dates)), years)
          assert.deepStrictEqual(
            yield* on(pool)(Parallel.filter(schemas.isLate, dates)),
            dates.filter((date) => date.getUTCFullYear() > 2000)
          )
          assert.deepStrictEqual(yield* on(pool)(Parallel.find(schemas.isLate, dates)), Option.some(dates[11]!))
          assert.deepStrictEqual(
            yield* on(pool)(Stream.runCollect(Parallel.stream(schemas.yearOf, Stream.fromIterable(dates)))),
            years
          )
          const old = dates.map((date, i) => i === 30 ? new Date("1850-01-01") : date)
          const { error, index } = yield* failureOf(on(pool)(Parallel.map(schemas.yearOf, old)))
          assert.instanceOf(error, schemas.TooOld)
          assert.deepInclude(error, { year: 1850 })
          assert.strictEqual(index, 30)
          const streamed: Array<unknown> = []
          const failed = yield* failureOf(
            on(pool)(
              Stream.runForEach(
                Parallel.stream(schemas.yearOf, Stream.fromIterable(old)),
                (year) => Effect.sync(() => void streamed.push(year))
              )
            )
          )
          assert.instanceOf(failed.error, schemas.TooOld)
          assert.deepStrictEqual(streamed, years.slice(0, 30))
          assert.deepStrictEqual(yield* on(pool)(Parallel.map(schemas.half, [2, 4, 6])), [1, 2, 3])
          const given = yield* joinErrorOf(on(pool)(Parallel.map(schemas.half, [2, 4, 0.5])))
          assert.deepInclude(given.reason, { _tag: "NotCloneable", side: "argument", path: "items[2]" })
          const back = yield* joinErrorOf(on(pool)(Parallel.map(schemas.half, [2, 4, 5, 6])))
          assert.deepInclude(back.reason, { _tag: "NotCloneable", side: "success", path: "results[2]" })
          assert.strictEqual(back.index, 2)
        })))

    it.live("R1 many items are few runs", () =>
      withPool({ maxThreads: 2 }, (pool) =>
        Effect.gen(function*() {
          yield* on(pool)(Parallel.forEach(tasks.idOf, peopleTo(50_000)))
          assert.isAtMost((yield* pool.stats).submitted, 5000)
          yield* on(pool)(Parallel.forEach(tasks.square, numbersTo(50_000)))
          assert.isAtMost((yield* pool.stats).submitted, 10_000)
        })))

    whenReal(
      "R1 items that take longer than a chunk are sent alone",
      () =>
        withPool({ maxThreads: 2 }, (pool) =>
          Effect.gen(function*() {
            const before = (yield* pool.stats).submitted
            const millis = [6, 7, 8, 6, 7, 8]
            yield* on(pool)(Parallel.map(tasks.slow, millis.map((millis) => ({ millis }))))
            assert.strictEqual((yield* pool.stats).submitted - before, millis.length)
          }))
    )

    it.live("R1 with a fixed size, the same items are always computed together", () =>
      withPool({ maxThreads: 2 }, (pool) =>
        Effect.gen(function*() {
          const floats = numbersTo(1000).map((n) => 1 / (n + 1))
          const options = { initial: 0, combine: tasks.add, chunkSize: 7 }
          const partial: Array<number> = []
          for (let i = 0; i < floats.length; i += 7) partial.push(floats.slice(i, i + 7).reduce((a, b) => a + b, 0))
          let rest = partial
          while (rest.length > 1) {
            const next: Array<number> = []
            for (let i = 0; i < rest.length; i += 32) next.push(rest.slice(i, i + 32).reduce((a, b) => a + b))
            rest = next
          }
          for (let i = 0; i < 3; i++) {
            assert.strictEqual(yield* on(pool)(Parallel.reduce(tasks.add, floats, options)), rest[0])
          }
          const ranges = yield* on(pool)(Parallel.rangeWith(tasks.rangeOf, { chunkSize: 300 }, 1000))
          assert.deepStrictEqual(ranges, [[0, 300], [300, 600], [600, 900], [900, 1000]])
        })))

    // -------------------------------------------------------------------------
    // R2
    // -------------------------------------------------------------------------

    it.live("R2 the first failure by index ends the operation, and the index is reported", () =>
      withPool({ maxThreads: 2 }, (pool, directory) =>
        Effect.gen(function*() {
          const file = join(directory, "notes")
          const steps = stepsTo(20_000, file, { 150: { does: "fail" }, 153: { does: "panic" }, 400: { does: "fail" } })
          const { error, index } = yield* failureOf(on(pool)(Parallel.map(tasks.step, steps)))
          assert.instanceOf(error, tasks.Odd)
          assert.deepInclude(error, { _tag: "Odd", id: 150 })
          assert.strictEqual(index, 150)
          const ran = new Set(linesOf(file).map(Number))
          // All items before it have run, as in a loop, and only a few after it.
          for (let n = 0; n <= 150; n++) assert.isTrue(ran.has(n), `${n} ran`)
          assert.isBelow(ran.size, steps.length / 2)
          assert.strictEqual((yield* failureOf(on(pool)(Parallel.map(tasks.numberStep, numbersTo(2000))))).index, 700)
        })))

    it.live("R2 a panic has the name of its task and the index of its item", () =>
      withPool({ maxThreads: 2 }, (pool) =>
        Effect.gen(function*() {
          const { error, index, reason } = yield* joinErrorOf(
            on(pool)(Parallel.forEach(tasks.step, stepsTo(100, undefined, { 42: { does: "panic" } })))
          )
          assert.strictEqual(index, 42)
          assert.strictEqual(error.item, 42)
          assert.match(error.message, /^Task "step" at items\[42\] \(#\d+, .*panicked: TypeError: no item 42$/)
          if (reason._tag !== "Panicked") return assert.fail(reason._tag)
          assert.instanceOf(reason.thrown, TypeError)
          // The body's own stack, without frames of the loop.
          assert.match((reason.thrown as Error).stack!, /parallelTasks\.ts:\d+/)
          assert.notInclude((reason.thrown as Error).stack!, "loops.ts")
          const numbers = yield* joinErrorOf(on(pool)(Parallel.forEach(tasks.numberStep, [1, 2, 300_000, 4])))
          assert.strictEqual(numbers.error.item, 2)
          const range = yield* joinErrorOf(
            on(pool)(Parallel.rangeWith(tasks.brokenRange, { chunkSize: 100 }, 1000))
          )
          assert.strictEqual(range.error.item, 500)
        })))

    it.live("R2 a value that cannot cross is reported with its item", () =>
      withPool({ maxThreads: 2 }, (pool) =>
        Effect.gen(function*() {
          const people = peopleTo(50).map((person) => person.id === 33 ? { ...person, onDone: () => {} } : person)
          const given = yield* joinErrorOf(on(pool)(Parallel.map(tasks.greet, people)))
          assert.deepInclude(given.reason, { _tag: "NotCloneable", side: "argument", path: "items[33].onDone" })
          assert.strictEqual(given.index, 33)
          const back = yield* joinErrorOf(
            on(pool)(Parallel.map(tasks.step, stepsTo(60, undefined, { 44: { does: "function" } })))
          )
          assert.deepInclude(back.reason, { _tag: "NotCloneable", side: "success", path: "results[44].deep[0]" })
          assert.strictEqual(back.index, 44)
        })))

    whenReal(
      "R2 items after a failure are stopped by the ladder, items before it are not",
      () =>
        withPool({ maxThreads: 3 }, (pool, directory) =>
          Effect.gen(function*() {
            const [file, started] = [join(directory, "notes"), join(directory, "started")]
            const failing = yield* Effect.forkChild(failureOf(
              on(pool)(Parallel.map(
                tasks.step,
                stepsTo(3, file, {
                  0: { after: join(directory, "go") },
                  1: { does: "fail", after: started },
                  2: { does: "polite", tells: started }
                }),
                { chunkSize: 1, concurrency: 3 }
              ))
            ))
            yield* Effect.repeat(Effect.sync(() => linesOf(file).includes("2 stopped")), {
              until: (stopped) => stopped,
              schedule: Schedule.spaced("2 millis")
            })
            // The first item could fail as well, so it must end first.
            assert.isUndefined(failing.pollUnsafe())
            yield* Effect.sync(() => tasks.tell(join(directory, "go")))
            assert.strictEqual((yield* Fiber.join(failing)).index, 1)
          }))
    )

    whenReal(
      "R2 a failure with a lower index counts, even if it comes later",
      () =>
        withPool({ maxThreads: 2 }, (pool, directory) =>
          Effect.gen(function*() {
            const go = join(directory, "go")
            const failing = yield* Effect.forkChild(failureOf(
              on(pool)(Parallel.map(
                tasks.step,
                stepsTo(40, undefined, { 0: { does: "panic", after: go }, 1: { does: "fail" } }),
                { chunkSize: 1, concurrency: 2 }
              ))
            ))
            yield* Effect.repeat(pool.stats, { until: ({ outcomes }) => outcomes.Failed === 1 })
            yield* Effect.sync(() => tasks.tell(go))
            assert.strictEqual((yield* Fiber.join(failing)).index, 0)
          }))
    )

    whenReal(
      "R2 a thread that dies, and a time limit, name the item",
      () =>
        withPool({ maxThreads: 2, gracePeriod: 10 }, (pool) =>
          Effect.gen(function*() {
            const died = yield* joinErrorOf(
              on(pool)(Parallel.map(
                tasks.step,
                stepsTo(40, undefined, { 17: { does: "exit" } }),
                sharesMemory ? {} : { chunkSize: 1 }
              ))
            )
            assert.deepInclude(died.reason, { _tag: "WorkerExited", exitCode: 3 })
            assert.strictEqual(died.error.item, 17)
            const slow = yield* joinErrorOf(
              on(pool)(Parallel.map(
                Task.with(tasks.step, { timeLimit: "2 seconds" }),
                stepsTo(40, undefined, { 17: { does: "endless" } }),
                sharesMemory ? {} : { chunkSize: 1 }
              ))
            )
            assert.deepInclude(slow.reason, { _tag: "TimedOut", stopped: "Terminated" })
            assert.strictEqual(slow.error.item, 17)
            const numbers = yield* joinErrorOf(on(pool)(Parallel.map(tasks.numberStep, [1, 2, 3, 400_000, 5])))
            assert.strictEqual(numbers.reason._tag, "WorkerExited")
            if (sharesMemory) assert.strictEqual(numbers.error.item, 3)
          }))
    )

    whenReal(
      "R2 if only the chunk of a failure is known, the range is reported",
      () =>
        withPool({ maxThreads: 1 }, (pool) =>
          Effect.gen(function*() {
            const { error, index } = yield* joinErrorOf(
              on(pool)(Parallel.map(
                tasks.step,
                stepsTo(40, undefined, { 17: { does: "exit" } }),
                { chunkSize: 10 }
              ))
            )
            if (sharesMemory) return assert.deepInclude(error, { item: 17 })
            assert.deepInclude(error, { item: 10, lastItem: 19 })
            assert.isUndefined(index)
            assert.include(error.message, "at items[10] to items[19]")
          }))
    )

    it.live("R2 a find ends at its match, and a failure after it is ignored", () =>
      withPool({ maxThreads: 2 }, (pool) =>
        Effect.gen(function*() {
          const items = [1, 3, 14, 1999, 21]
          assert.deepStrictEqual(yield* on(pool)(Parallel.find(tasks.modelledTest, items)), Option.some(14))
          assert.strictEqual((yield* failureOf(on(pool)(Parallel.find(tasks.modelledTest, [1, 999, 7])))).index, 1)
        })))

    it.live("R2 a failure to combine has no item", () =>
      withPool({ maxThreads: 2 }, (pool) =>
        Effect.gen(function*() {
          const { error, reason } = yield* joinErrorOf(
            on(pool)(
              Parallel.reduce(tasks.add, numbersTo(100), { initial: 0, combine: tasks.breaks, chunkSize: 10 })
            )
          )
          assert.strictEqual(reason._tag, "Panicked")
          assert.strictEqual(error.task, "breaks")
          assert.isUndefined(error.item)
        })))

    // -------------------------------------------------------------------------
    // R3
    // -------------------------------------------------------------------------

    it.live("R3 each number of a range is processed exactly once", () =>
      withPool({ maxThreads: 2 }, (pool) =>
        Effect.gen(function*() {
          const ranges = yield* on(pool)(Parallel.range(tasks.rangeOf, 100_000))
          let next = 0
          for (const [start, end] of ranges) {
            assert.strictEqual(start, next)
            assert.isAbove(end, start)
            next = end
          }
          assert.strictEqual(next, 100_000)
          assert.deepStrictEqual(yield* on(pool)(Parallel.range(tasks.rangeOf, 0)), [])
        })))

    it.live("R3 shared memory is written in place; processes refuse it", () =>
      withPool({ maxThreads: 2 }, (pool) =>
        Effect.gen(function*() {
          const out = new Float64Array(new SharedArrayBuffer(8 * 10_000))
          const run = on(pool)(Parallel.range(tasks.fill, out.length, out, 2))
          if (backend.name === "processes") {
            const { reason } = yield* joinErrorOf(run)
            assert.deepInclude(reason, { _tag: "NotCloneable", side: "argument", path: "shared[0]" })
          } else {
            yield* run
            assert.deepStrictEqual(Array.from(out), numbersTo(10_000).map((n) => n * 2))
          }
        })))

    whenShared(
      "R3 a chunk needs no message",
      () =>
        withPool({ maxThreads: 2 }, (pool) =>
          Effect.gen(function*() {
            const ranges = yield* on(pool)(Parallel.rangeWith(tasks.rangeOf, { chunkSize: 10 }, 100_000))
            assert.strictEqual(ranges.length, 10_000)
            assert.isAtMost((yield* pool.stats).submitted, 1000)
          }))
    )

    // -------------------------------------------------------------------------
    // R4
    // -------------------------------------------------------------------------

    it.live("R4 a call slower than a loop logs a warning, once for each call site", () => {
      const lines: Array<string> = []
      const logger = Logger.make<unknown, void>(({ message }) => void lines.push(String(message)))
      return withPool({ maxThreads: 2 }, (pool) =>
        Effect.gen(function*() {
          const people = peopleTo(20_000)
          const here = Effect.suspend(() => on(pool)(Parallel.map(tasks.greet, people)))
          const there = Effect.suspend(() => on(pool)(Parallel.map(tasks.greet, people)))
          // A call in which a thread starts, or runs the task for the first time, is not warned about.
          const untilWarned = (call: typeof here, count: number) =>
            Effect.repeat(call, { times: 20, while: () => lines.length < count })
          yield* here
          assert.deepStrictEqual(lines, [])
          yield* untilWarned(here, 1)
          yield* here
          assert.strictEqual(lines.length, 1, lines.join("\n"))
          assert.match(
            lines[0]!,
            /^Parallel\.map of task "greet" took [\d.]+ ms, and its items [\d.]+ ms at .*parallel\.ts:\d+/
          )
          yield* untilWarned(there, 2)
          assert.strictEqual(lines.length, 2, lines.join("\n"))
          assert.notStrictEqual(lines[0], lines[1])
        })).pipe(Effect.provide(Logger.layer([logger])))
    })

    // -------------------------------------------------------------------------
    // R5
    // -------------------------------------------------------------------------

    it.live("R5 runs on a named pool", () =>
      withPool({ maxThreads: 2 }, (pool) =>
        Effect.gen(function*() {
          class Cpu extends Blocking.Pool<Cpu>()("contract/Cpu") {}
          const program = Effect.all([
            Parallel.map(tasks.square, [1, 2, 3], { pool: Cpu }),
            Parallel.rangeWith(tasks.rangeOf, { pool: Cpu }, 1),
            Stream.runCollect(Parallel.stream(tasks.square, Stream.make(1, 2), { pool: Cpu }))
          ])
          assert.deepStrictEqual(yield* Effect.provideService(program, Cpu, pool), [[1, 4, 9], [[0, 1]], [1, 4]])
        })))

    for (
      const [what, run] of [
        ["chunks", Parallel.forEach(tasks.busyPerson, peopleTo(100_000))],
        ["slices", Parallel.forEach(tasks.busy, numbersTo(100_000).map(() => 1))]
      ] as const
    ) {
      whenReal(
        `R5 after an interruption no more items run, and it waits for running ones: ${what}`,
        () =>
          withPool({ maxThreads: 2 }, (pool) =>
            Effect.gen(function*() {
              const fiber = yield* Effect.forkChild(on(pool)(run))
              yield* Effect.repeat(pool.stats, { until: ({ outcomes }) => outcomes.Succeeded > 2 })
              yield* Fiber.interrupt(fiber)
              const { outcomes, queueDepth, running, submitted, threads } = yield* pool.stats
              assert.deepStrictEqual({ queueDepth, running: running.length }, { queueDepth: 0, running: 0 })
              // Left at its checkpoint: no thread was lost.
              assert.isAtLeast(threads, 1)
              assert.strictEqual((yield* pool.stats).stops.Terminated, 0)
              assert.strictEqual(outcomes.Succeeded + outcomes.Cancelled, submitted)
            }))
      )

      whenReal(
        `R5 other tasks can run meanwhile: ${what}`,
        () =>
          withPool({ maxThreads: 1 }, (pool) =>
            Effect.gen(function*() {
              const fiber = yield* Effect.forkChild(on(pool)(run))
              yield* Effect.repeat(pool.stats, { until: ({ running }) => running.length > 0 })
              assert.strictEqual(yield* pool.run(others.add, 1, 2), 3)
              assert.isUndefined(fiber.pollUnsafe())
              yield* Fiber.interrupt(fiber)
            }))
      )
    }

    it.live("R5 another task runs between two chunks", () =>
      withPool({ maxThreads: 1 }, (pool) =>
        Effect.gen(function*() {
          const fiber = yield* Effect.forkChild(
            on(pool)(Parallel.forEach(tasks.idOf, peopleTo(5000), { chunkSize: 1 })),
            { startImmediately: true }
          )
          assert.strictEqual(yield* pool.run(others.add, 1, 2), 3)
          assert.isUndefined(fiber.pollUnsafe())
          yield* Fiber.interrupt(fiber)
        })))

    it.live("R5 a full queue lowers the concurrency and does not fail the operation", () =>
      withPool({ maxThreads: 2, queueCapacity: 0, onFull: "fail" }, (pool) =>
        Effect.gen(function*() {
          const people = peopleTo(4000)
          const ids = on(pool)(Parallel.map(tasks.idOf, people, { concurrency: 2 }))
          const [first, second] = yield* Effect.all([ids, ids], { concurrency: 1 })
          assert.deepStrictEqual(first, people.map(({ id }) => id))
          assert.deepStrictEqual(second, first)
        })))

    it.live("R5 the close of the pool ends the operation", () =>
      withPool({ maxThreads: 1, shutdownTimeout: 0 }, (pool) =>
        Effect.gen(function*() {
          const fiber = yield* Effect.forkChild(
            failureOf(on(pool)(Parallel.forEach(tasks.idOf, peopleTo(100_000), { chunkSize: 1 }))),
            { startImmediately: true }
          )
          yield* backend.close(pool)
          const { error } = yield* Fiber.join(fiber)
          assert.isTrue(JoinError.isJoinError(error))
          assert.include(["Cancelled", "ShutDown"], (error as JoinError.JoinError).reason._tag)
        })))

    it.live("R5 bodies call the program, and the callback can use Parallel on the same pool", () =>
      withPool({ maxThreads: 2 }, (pool) =>
        Effect.gen(function*() {
          const names = Parallel.map(tasks.nameOf, [1, 2, 3]).pipe(
            Effect.provideService(tasks.Name, (id) => Effect.succeed(`name ${id}`))
          )
          assert.deepStrictEqual(yield* on(pool)(names), ["name 1", "name 2", "name 3"])
        })))

    whenReal(
      "R5 does not hang when nested in a callback",
      () =>
        withPool({ maxThreads: 2 }, (pool) =>
          Effect.gen(function*() {
            const squares = Effect.map(
              Effect.orDie(on(pool)(Parallel.map(tasks.square, [1, 2, 3]))),
              (squares) => squares.join()
            )
            const names = Parallel.map(tasks.nameOf, [1, 2, 3]).pipe(
              Effect.provideService(tasks.Name, () => squares)
            )
            assert.deepStrictEqual(yield* on(pool)(names), ["1,4,9", "1,4,9", "1,4,9"])
          }))
    )

    it.live("R5 items and results are moved", () =>
      withPool({ maxThreads: 2 }, (pool) =>
        Effect.gen(function*() {
          const blocks = numbersTo(20).map((n) => new Uint8Array(100_000).fill(n))
          const run = Effect.suspend(() => Parallel.map(tasks.moved, blocks.map((block) => Task.move(block))))
          const moved = yield* on(pool)(run)
          assert.deepStrictEqual(
            moved.map((block) => [block.length, block[0]]),
            numbersTo(20).map((n) => [100_000, n + 1])
          )
          assert.deepStrictEqual(blocks.map((block) => block.length), blocks.map(() => 0))
        })))

    it.live("R5 an invalid option is a defect with a clear message", () =>
      withPool({}, (pool) =>
        Effect.gen(function*() {
          const wrong = (run: Effect.Effect<unknown, unknown>) =>
            Effect.map(failureOf(run), ({ error }) => (error as Error).message)
          assert.strictEqual(
            yield* wrong(on(pool)(Parallel.map(tasks.square, [1], { concurrency: 0 }))),
            "Parallel.map: concurrency must be an integer of at least 1, not 0"
          )
          assert.strictEqual(
            yield* wrong(on(pool)(Parallel.forEach(tasks.square, [1], { chunkSize: 1.5 }))),
            "Parallel.forEach: chunkSize must be an integer of at least 1, not 1.5"
          )
          assert.strictEqual(
            yield* wrong(on(pool)(Parallel.range(tasks.rangeOf, -1))),
            "Parallel.range: length must be an integer of at least 0, not -1"
          )
          assert.strictEqual(
            yield* wrong(on(pool)(Parallel.map(tasks.square, 5 as unknown as ReadonlyArray<number>))),
            "Parallel.map: items must be an iterable, such as an array, not 5"
          )
        })))

    // -------------------------------------------------------------------------
    // Streams
    // -------------------------------------------------------------------------

    it.live("R1 a stream keeps its order, with chunks of any size", () =>
      withPool({ maxThreads: 2 }, (pool) =>
        Effect.gen(function*() {
          const numbers = numbersTo(3000)
          const squares = (stream: Stream.Stream<number>) =>
            Stream.runCollect(Parallel.stream(tasks.square, stream)).pipe(on(pool))
          const expected = numbers.map((n) => n * n)
          assert.deepStrictEqual(yield* squares(Stream.fromIterable(numbers)), expected)
          assert.deepStrictEqual(yield* squares(Stream.rechunk(Stream.fromIterable(numbers), 1)), expected)
          assert.deepStrictEqual(yield* squares(Stream.empty), [])
          // No element waits for a batch to fill.
          const first = Stream.concat(Stream.make(3), Stream.never).pipe(
            (stream) => Parallel.stream(tasks.square, stream),
            Stream.runHead,
            on(pool)
          )
          assert.deepStrictEqual(yield* first, Option.some(9))
        })))

    it.live("R2 in a stream, the results before a failure arrive before it", () =>
      withPool({ maxThreads: 2 }, (pool) =>
        Effect.gen(function*() {
          const ran = <E>(stream: Stream.Stream<tasks.Step, E>) => {
            const given: Array<unknown> = []
            return Parallel.stream(tasks.step, stream).pipe(
              Stream.runForEach((value) => Effect.sync(() => void given.push(value))),
              on(pool),
              failureOf,
              Effect.map((failure) => ({ ...failure, given }))
            )
          }
          const own = yield* ran(
            Stream.fromIterable(stepsTo(2000, undefined, { 321: { does: "fail" }, 330: { does: "panic" } }))
          )
          assert.strictEqual(own.index, 321)
          assert.deepStrictEqual(own.given, numbersTo(321))
          const panicked = yield* ran(Stream.fromIterable(stepsTo(100, undefined, { 50: { does: "panic" } })))
          assert.strictEqual((panicked.error as JoinError.JoinError).item, 50)
          assert.deepStrictEqual(panicked.given, numbersTo(50))
          const upstream = yield* ran(
            Stream.concat(Stream.fromIterable(stepsTo(40, undefined, {})), Stream.fail("upstream" as const))
          )
          assert.strictEqual(upstream.error, "upstream")
          assert.deepStrictEqual(upstream.given, numbersTo(40))
        })))

    it.live("R5 a stream is pulled no further than the threads need", () =>
      withPool({ maxThreads: 2 }, (pool) =>
        Effect.gen(function*() {
          let pulled = 0
          const source = Stream.rechunk(Stream.fromIterable(numbersTo(1_000_000)), 16).pipe(
            Stream.mapArray((chunk) => {
              pulled += chunk.length
              return chunk
            })
          )
          const five = yield* Parallel.stream(tasks.square, source, { chunkSize: 4 }).pipe(
            Stream.take(5),
            Stream.runCollect,
            on(pool)
          )
          assert.deepStrictEqual(five, [0, 1, 4, 9, 16])
          assert.isAtMost(pulled, 1000)
        })))

    whenReal(
      "R5 a stream that ends early stops its running tasks",
      () =>
        withPool({ maxThreads: 2 }, (pool, directory) =>
          Effect.gen(function*() {
            const [file, started] = [join(directory, "notes"), join(directory, "started")]
            const steps = stepsTo(2, file, { 0: { after: started }, 1: { does: "polite", tells: started } })
            const first = yield* Parallel.stream(tasks.step, Stream.fromIterable(steps), {
              chunkSize: 1,
              concurrency: 2
            })
              .pipe(Stream.runHead, on(pool))
            assert.deepStrictEqual(first, Option.some(0))
            yield* noted(started)
            assert.include(linesOf(file), "1 stopped")
          }))
    )
  })
}
