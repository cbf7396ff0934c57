/** The runs that `Parallel` submits, and when, on a pool whose answers and clock the test controls. */
import { assert, describe, it } from "@effect/vitest"
import { Clock, Effect, Fiber, Logger, Option } from "effect"
import { Blocking, Parallel, Task } from "effect-blocking"
import { TestClock } from "effect/testing"

const work = Task.make(import.meta.url, "work", ({ id }: { readonly id: number }) => id)

const isTrue = Task.make(import.meta.url, "isTrue", (_: { readonly id: number }) => true)

const itemsTo = (end: number) => Array.from({ length: end }, (_, id) => ({ id }))

/** A chunk submitted to the pool. */
interface Asked {
  readonly first: number
  readonly count: number
  readonly limitMillis: number
}

/**
 * A pool on which each item, and in addition each chunk, takes a given time by the clock. `most` is the
 * number of items of a chunk that are done before it gives back the rest.
 */
const poolOf = (options: {
  readonly threads: number
  readonly millisOf: (index: number) => number
  readonly costMillis?: number
  readonly most?: (asked: Asked) => number
  readonly others?: () => number
  /** Whether a thread runs the loop for the first time, by the number of runs before. */
  readonly isFirst?: (runs: number) => boolean
}) => {
  const asked: Array<Asked> = []
  let busy = 0
  let mostBusy = 0
  const pool = {
    stats: Effect.sync(() => ({
      maxThreads: options.threads,
      sharesMemory: false,
      submitted: asked.length + (options.others?.() ?? 0)
    })),
    run: (_: unknown, first: number, items: ReadonlyArray<{ readonly id: number }>, times: Task.Task<[], 1>) =>
      Effect.gen(function*() {
        const { limitMillis } = times as unknown as { readonly limitMillis: number }
        const chunk: Asked = { first, count: items.length, limitMillis }
        asked.push(chunk)
        mostBusy = Math.max(mostBusy, ++busy)
        const done = options.most?.(chunk) ?? items.length
        let millis = 0
        for (let i = 0; i < done; i++) millis += options.millisOf(first + i)
        yield* Effect.sleep(millis + (options.costMillis ?? 0))
        busy--
        const isFirst = options.isFirst?.(asked.length) ?? false
        return [millis, done, items.slice(0, done).map(({ id }) => id), undefined, undefined, isFirst]
      })
  } as unknown as Blocking.Pool
  return { pool, asked, mostBusy: () => mostBusy }
}

/** Runs an effect on the pool, and moves the clock until it has ended. */
const onPool = (pool: Blocking.Pool) => <A, E>(effect: Effect.Effect<A, E, Blocking.Blocking>) =>
  Effect.gen(function*() {
    const fiber = yield* Effect.forkChild(Effect.provideService(effect, Blocking.Blocking, pool))
    while (fiber.pollUnsafe() === undefined) yield* TestClock.adjust(1)
    return yield* Fiber.join(fiber)
  })

describe("Parallel", () => {
  it.effect("R1 chunks grow to a few milliseconds, and shrink towards the end", () =>
    Effect.gen(function*() {
      const { asked, mostBusy, pool } = poolOf({ threads: 2, millisOf: () => 0.125 })
      const results = yield* onPool(pool)(Parallel.map(work, itemsTo(1000), { concurrency: 2 }))
      assert.deepStrictEqual(results, itemsTo(1000).map(({ id }) => id))
      const counts = asked.map(({ count }) => count)
      assert.strictEqual(counts[0], 1)
      assert.strictEqual(Math.max(...counts), 32, "4 ms of an eighth")
      assert.isAtMost(counts.at(-1)!, 2, counts.join())
      for (let i = 1; i < counts.length; i++) assert.isAtMost(counts[i]!, Math.max(...counts.slice(0, i)) * 16)
      // At most one run ahead for each thread.
      assert.strictEqual(mostBusy(), 4)
    }))

  it.effect("R1 the items left behind a long item go to other threads", () =>
    Effect.gen(function*() {
      const { asked, pool } = poolOf({
        threads: 2,
        millisOf: (index) => index === 100 ? 1000 : 0.05,
        most: ({ count, first }) => first <= 100 && 100 < first + count ? 101 - first : count
      })
      const results = yield* onPool(pool)(Parallel.map(work, itemsTo(2000)))
      assert.deepStrictEqual(results, itemsTo(2000).map(({ id }) => id))
      const at = asked.findIndex(({ count, first }) => first <= 100 && 100 < first + count)
      const long = asked[at]!
      assert.isAbove(long.first + long.count, 101)
      // The items it gave back are taken again, from the first on.
      assert.isTrue(asked.slice(at + 1).some(({ first }) => first === 101))
    }))

  it.effect("R1 with a fixed size, no chunk gives items back", () =>
    Effect.gen(function*() {
      const { asked, pool } = poolOf({ threads: 2, millisOf: () => 50 })
      yield* onPool(pool)(Parallel.map(work, itemsTo(10), { chunkSize: 4 }))
      assert.deepStrictEqual(asked, [
        { first: 0, count: 4, limitMillis: Infinity },
        { first: 4, count: 4, limitMillis: Infinity },
        { first: 8, count: 2, limitMillis: Infinity }
      ])
    }))

  it.effect("R1 respects the concurrency, and the maximum of 1024 items in a chunk", () =>
    Effect.gen(function*() {
      const { asked, mostBusy, pool } = poolOf({ threads: 8, millisOf: () => 0.0001 })
      yield* onPool(pool)(Parallel.map(work, itemsTo(100_000), { concurrency: 3 }))
      assert.strictEqual(mostBusy(), 3)
      assert.strictEqual(Math.max(...asked.map(({ count }) => count)), 1024)
    }))

  const warningsOf = (options: Parameters<typeof poolOf>[0], concurrency = 2) => {
    const lines: Array<string> = []
    const logger = Logger.make<unknown, void>(({ message }) => void lines.push(String(message)))
    return Effect.gen(function*() {
      const { pool } = poolOf(options)
      const begin = yield* Clock.currentTimeMillis
      yield* onPool(pool)(Parallel.map(work, itemsTo(10), { chunkSize: 1, concurrency }))
      return { lines, millis: (yield* Clock.currentTimeMillis) - begin }
    }).pipe(Effect.provide(Logger.layer([logger])))
  }

  it.effect("R4 warns when it took more than 1.1 times the time of its items plus 5 ms", () =>
    Effect.gen(function*() {
      // 100 ms of items, two at a time; the time counts from the first result.
      const paid = yield* warningsOf({ threads: 4, millisOf: () => 10, costMillis: 13 })
      assert.deepStrictEqual(paid, { lines: [], millis: 115 })
      const slow = yield* warningsOf({ threads: 4, millisOf: () => 10, costMillis: 17 })
      assert.strictEqual(slow.millis, 135)
      assert.strictEqual(slow.lines.length, 1)
      assert.match(
        slow.lines[0]!,
        /^Parallel\.map of task "work" took [\d.]+ ms, and its items 100\.0 ms at .*Parallel\.test\.ts/
      )
    }))

  it.effect("R4 on one thread, which gains nothing, it warns only at twice the time", () =>
    Effect.gen(function*() {
      assert.deepStrictEqual((yield* warningsOf({ threads: 4, millisOf: () => 10, costMillis: 9 }, 1)).lines, [])
      assert.strictEqual((yield* warningsOf({ threads: 4, millisOf: () => 10, costMillis: 13 }, 1)).lines.length, 1)
    }))

  it.effect("R4 does not warn if a thread ran the task for the first time, and may have loaded its module", () =>
    Effect.gen(function*() {
      const { lines } = yield* warningsOf({
        threads: 4,
        millisOf: () => 1,
        costMillis: 20,
        isFirst: (runs) => runs === 3
      })
      assert.deepStrictEqual(lines, [])
    }))

  it.effect("R4 does not warn if a run was stopped, whose time is not known", () => {
    const lines: Array<string> = []
    const logger = Logger.make<unknown, void>(({ message }) => void lines.push(String(message)))
    let submitted = 0
    // The first item matches at once; the thread of the second is loading the task meanwhile.
    const pool = {
      stats: Effect.sync(() => ({ maxThreads: 2, sharesMemory: false, submitted })),
      run: (_: unknown, first: number) =>
        Effect.suspend(() => {
          submitted++
          return Effect.as(Effect.uninterruptible(Effect.sleep(first === 0 ? 1 : 200)), [1, 1, first === 0 ? 0 : -1])
        })
    } as unknown as Blocking.Pool
    return Effect.gen(function*() {
      const found = yield* onPool(pool)(Parallel.find(isTrue, itemsTo(2), { chunkSize: 1 }))
      assert.deepStrictEqual(found, Option.some({ id: 0 }))
      assert.strictEqual(submitted, 2)
      assert.deepStrictEqual(lines, [])
    }).pipe(Effect.provide(Logger.layer([logger])))
  })

  it.effect("R4 does not warn if other tasks used the pool meanwhile", () =>
    Effect.gen(function*() {
      let others = 0
      const { lines } = yield* warningsOf({ threads: 4, millisOf: () => 1, costMillis: 20, others: () => others++ })
      assert.deepStrictEqual(lines, [])
    }))
})
