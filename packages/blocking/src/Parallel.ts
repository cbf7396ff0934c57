/**
 * Runs one task over many items, on all threads of a pool.
 *
 * The body is an ordinary task for one item, and the library loops: a million items are not a million
 * runs. `map`, `filter`, `find` and `reduce` give what the same loop would give in one thread, in the same
 * order, and fail where it would fail; `range` gives each thread ranges of indices, and no items travel at all;
 * `stream` does a `Stream`.
 *
 * **Details**
 *
 * Items travel in chunks that take about four milliseconds. The first of each thread is one item; how long
 * it took says how many the next may have. Towards the end they get smaller, so that all threads end together.
 * A chunk that takes four times as long gives back what is left of it. Items that are all numbers, and
 * ranges, lie in memory that the threads share: each takes its next ones from a cursor there, with no
 * message, and comes back every twenty milliseconds, so that other tasks of the pool have their turn.
 * Processes, and the pools of a test, share no memory: there everything travels in chunks.
 *
 * The first failure, by index, ends it: what lies before that item is still done, because it could fail
 * before it; what lies behind it never begins, or is stopped as the `onInterrupt` of the task says.
 * A `JoinError` names the item in its `item` and its message; `failedIndex` finds that of a domain error.
 * A `timeLimit` is for each item, and a `queueTimeLimit` for each chunk. In the metrics and statistics of
 * the pool, a chunk is one task.
 *
 * **Gotchas**
 *
 * An item that takes a microsecond is worth a thread only if it is cheap to send: numbers are, objects
 * cost about as much. Where it did not pay, a warning says so, once for each call site.
 *
 * @module
 * @since 0.1.0
 */
import type * as Cause from "effect/Cause"
import type * as Context from "effect/Context"
import * as Effect from "effect/Effect"
import * as Option from "effect/Option"
import type * as Stream from "effect/Stream"
import type { Blocking, Pool } from "./Blocking.ts"
import * as internal from "./internal/pool/parallel.ts"
import { parallelStream } from "./internal/pool/parallelStream.ts"
import { describe } from "./internal/wire/cloneable.ts"
import type { LoopKind } from "./internal/wire/loops.ts"
import type { JoinError } from "./JoinError.ts"
import type { Task } from "./Task.ts"

// -----------------------------------------------------------------------------
// Models
// -----------------------------------------------------------------------------

/**
 * Where it runs, and in how many pieces.
 *
 * @category models
 * @since 0.1.0
 */
export interface Options<in out Self = Blocking> {
  /** The class of a named pool. Defaults to the default pool. */
  readonly pool?: Context.Key<Self, Pool> | undefined
  /**
   * How many threads are busy with it at once. An integer from 1. Defaults to the machine's available
   * parallelism, and is no more than the pool's `maxThreads`.
   */
  readonly concurrency?: number | undefined
  /**
   * How many items a thread takes at once. An integer from 1. By default as many as take some
   * milliseconds. With a fixed size the same items are always computed together, whatever the machine: a
   * `reduce` of floating-point numbers then gives the same bits each time.
   */
  readonly chunkSize?: number | undefined
}

/**
 * The options of `Parallel.find`.
 *
 * @category models
 * @since 0.1.0
 */
export interface FindOptions<in out Self = Blocking> extends Options<Self> {
  /** The item with the lowest index, as a plain loop finds it (default), or the one that is found first in time. */
  readonly which?: "first" | "any" | undefined
}

/**
 * The options of `Parallel.reduce`.
 *
 * @category models
 * @since 0.1.0
 */
export interface ReduceOptions<A, E, R, in out Self = Blocking> extends Options<Self> {
  /**
   * What each chunk begins with, a copy of its own. It must be neutral: combined with a value it gives that
   * value, as 0 for a sum.
   */
  readonly initial: NoInfer<A>
  /** The task that makes one value of two neighbours. It must be associative; it need not be commutative. */
  readonly combine: Task<[left: A, right: A], A, E, R>
}

// -----------------------------------------------------------------------------
// Operations
// -----------------------------------------------------------------------------

const itemsOf = <I>(called: string, items: Iterable<I>): ReadonlyArray<I> => {
  const given: unknown = items
  if (typeof given === "object" && given !== null && Symbol.iterator in given) return Array.from(items)
  throw new TypeError(`${called} takes its items as an iterable, such as an array, not ${describe(given)}`)
}

const gather = <Args extends ReadonlyArray<unknown>, A, E, R, I, Self>(
  kind: LoopKind,
  called: string,
  task: Task<Args, A, E, R>,
  items: Iterable<I>,
  extra: ReadonlyArray<unknown>,
  options: Options<Self> | undefined,
  site: Error,
  any = false
): Effect.Effect<readonly [gathered: internal.Gathered, items: ReadonlyArray<I>], E | JoinError, R | Self> =>
  Effect.suspend(() => {
    const all = itemsOf(called, items)
    const job = { called, kind, task, items: all, extra, options, any, site }
    return Effect.map(internal.gather(job), (gathered) => [gathered, all] as const)
  })

/**
 * Runs a task for each item, and gives the results in the order of the items.
 *
 * **Details**
 *
 * Waits for room in the queue, for threads, and for all items. Interrupted, what is queued never runs
 * and what runs is stopped as the `onInterrupt` of the task says; it returns when all of it has ended. Fails as
 * the first item that fails, by index. The close of a scope does not touch it: it belongs to the
 * fiber that waits for it.
 *
 * Items are read at the start, and sent when their turn comes: what is changed in them meanwhile can be
 * seen by the task. `Task.move` moves an item, or what a body returns.
 *
 * **Example** (Checksums of many files)
 *
 * ```ts
 * import { Parallel, Task } from "effect-blocking"
 * import { createHash } from "node:crypto"
 * import { readFileSync } from "node:fs"
 *
 * const checksum = Task.make(import.meta.url, "checksum", (path: string) =>
 *   createHash("sha256").update(readFileSync(path)).digest("hex"))
 *
 * export const checksums = Parallel.map(checksum, ["a.txt", "b.txt", "c.txt"])
 * ```
 *
 * @category combinators
 * @since 0.1.0
 */
export const map = <I, A, E, R, Self = Blocking>(
  task: Task<[item: I], A, E, R>,
  items: Iterable<NoInfer<I>>,
  options?: Options<Self>
): Effect.Effect<Array<A>, E | JoinError, R | Self> =>
  Effect.map(
    gather("map", "Parallel.map", task, items, [], options, new Error()),
    ([{ results }]) => results as Array<A>
  )

/**
 * Runs a task for each item, for what it does. What it returns stays in the threads.
 *
 * **Details**
 *
 * Waits, fails and is interrupted as `map`.
 *
 * @category combinators
 * @since 0.1.0
 */
export const forEach = <I, A, E, R, Self = Blocking>(
  task: Task<[item: I], A, E, R>,
  items: Iterable<NoInfer<I>>,
  options?: Options<Self>
): Effect.Effect<void, E | JoinError, R | Self> =>
  Effect.asVoid(gather("each", "Parallel.forEach", task, items, [], options, new Error()))

/**
 * Gives the items for which a task returns `true`, in their order. Only flags come back from the threads.
 *
 * **Details**
 *
 * Waits, fails and is interrupted as `map`.
 *
 * **Example** (Primes)
 *
 * ```ts
 * import { Parallel, Task } from "effect-blocking"
 *
 * const isPrime = Task.make(import.meta.url, "isPrime", (n: number) => {
 *   for (let d = 2; d * d <= n; d++) if (n % d === 0) return false
 *   return n > 1
 * })
 *
 * export const primes = Parallel.filter(isPrime, [1_000_003, 1_000_005, 1_000_033])
 * ```
 *
 * @category combinators
 * @since 0.1.0
 */
export const filter = <I, Item extends I, E, R, Self = Blocking>(
  task: Task<[item: I], boolean, E, R>,
  items: Iterable<Item>,
  options?: Options<Self>
): Effect.Effect<Array<Item>, E | JoinError, R | Self> =>
  Effect.map(
    gather("filter", "Parallel.filter", task, items, [], options, new Error()),
    ([{ kept }, items]) => items.filter((_, i) => kept[i] === 1)
  )

/**
 * Gives the first item for which a task returns `true`, or `None`.
 *
 * **Details**
 *
 * What lies behind an item that was found never begins, or is stopped. By default the first by
 * index is given, as a plain loop would give it, and a failure behind it is none; with `which: "any"` that which is
 * found first in time.
 *
 * Waits, fails and is interrupted as `map`.
 *
 * **Example** (A file that mentions a word)
 *
 * ```ts
 * import { Parallel, Task } from "effect-blocking"
 * import { readFileSync } from "node:fs"
 *
 * const isWanted = Task.make(import.meta.url, "isWanted", (path: string) =>
 *   readFileSync(path, "utf8").includes("deadlock"))
 *
 * export const found = Parallel.find(isWanted, ["a.log", "b.log"], { which: "any" }) // Effect<Option<string>, …>
 * ```
 *
 * @category combinators
 * @since 0.1.0
 */
export const find = <I, Item extends I, E, R, Self = Blocking>(
  task: Task<[item: I], boolean, E, R>,
  items: Iterable<Item>,
  options?: FindOptions<Self>
): Effect.Effect<Option.Option<Item>, E | JoinError, R | Self> =>
  Effect.map(
    gather("find", "Parallel.find", task, items, [], options, new Error(), options?.which === "any"),
    ([{ found }, items]) => found === undefined ? Option.none() : Option.some(items[found]!)
  )

/**
 * Makes one value of all items: `step` goes through each chunk in a thread, from `initial` on, and `combine`
 * makes one value of those of the chunks, in their order.
 *
 * **Details**
 *
 * Without items it gives `initial`. How many items are in a chunk depends on how long they take, so `initial`
 * must be neutral and `combine` associative; otherwise the result depends on the machine. Addition of
 * floating-point numbers is not quite associative: give a `chunkSize` where the last bits matter.
 *
 * Waits, fails and is interrupted as `map`.
 *
 * **Example** (How often each word occurs)
 *
 * ```ts
 * import { Parallel, Task } from "effect-blocking"
 * import { readFileSync } from "node:fs"
 *
 * const count = Task.make(import.meta.url, "count", (counts: Map<string, number>, path: string) => {
 *   for (const [word] of readFileSync(path, "utf8").matchAll(/\w+/g)) counts.set(word, (counts.get(word) ?? 0) + 1)
 *   return counts
 * })
 *
 * const merge = Task.make(import.meta.url, "merge", (left: Map<string, number>, right: Map<string, number>) => {
 *   for (const [word, n] of right) left.set(word, (left.get(word) ?? 0) + n)
 *   return left
 * })
 *
 * export const words = Parallel.reduce(count, ["a.txt", "b.txt"], { initial: new Map(), combine: merge })
 * ```
 *
 * @category combinators
 * @since 0.1.0
 */
export const reduce = <A, I, E, R, E2, R2, Self = Blocking>(
  step: Task<[value: A, item: I], A, E, R>,
  items: Iterable<NoInfer<I>>,
  options: ReduceOptions<A, E2, R2, Self>
): Effect.Effect<A, E | E2 | JoinError, R | R2 | Self> => {
  const site = new Error()
  const called = "Parallel.reduce"
  const { combine: task, initial } = options
  return Effect.flatMap(
    gather("fold", called, step, items, [initial], options, site),
    ([{ inOrder }]) =>
      inOrder.length === 0
        ? Effect.succeed(initial as A)
        : internal.combine({ called, task, options, site }, inOrder) as Effect.Effect<A, E2 | JoinError, R2 | Self>
  )
}

/**
 * What `Parallel.range` gives: nothing for a body that returns nothing, or else what the body returned for
 * each of its ranges, in their order.
 *
 * @category models
 * @since 0.1.0
 */
export type RangeResult<A> = [A] extends [void] ? void : Array<Exclude<A, undefined>>

/**
 * Runs a task over the numbers from 0 to `length`, a range at a time: the body gets where its range begins
 * and ends, and what all of them share.
 *
 * **When to use**
 *
 * Use for large arrays of numbers, images and matrices in a `SharedArrayBuffer`: the threads read and write it
 * where it is, and nothing travels. Or for a loop so short that a call for each item would cost more.
 *
 * **Details**
 *
 * How long the ranges are is decided by the time they take. Gives what the body returned for each, in
 * order, `undefined` left out. What is shared is sent to each thread, every twenty milliseconds: let it be
 * small, or shared memory. A body that loops for long should call `Task.checkpoint`.
 *
 * Waits, fails and is interrupted as `map`; a failure names the beginning of its range. `rangeWith` takes options.
 *
 * **Gotchas**
 *
 * Processes share no memory: there a `SharedArrayBuffer` fails with reason `NotCloneable`.
 *
 * **Example** (A picture gets brighter)
 *
 * ```ts
 * import { Parallel, Task } from "effect-blocking"
 *
 * const brighten = Task.make(import.meta.url, "brighten", (start: number, end: number, pixels: Uint8Array) => {
 *   for (let i = start; i < end; i++) pixels[i] = Math.min(255, pixels[i]! * 1.2)
 * })
 *
 * const pixels = new Uint8Array(new SharedArrayBuffer(1920 * 1080))
 *
 * export const program = Parallel.range(brighten, pixels.length, pixels)
 * ```
 *
 * @category combinators
 * @since 0.1.0
 */
export const range = <Shared extends ReadonlyArray<unknown>, A, E, R>(
  task: Task<[start: number, end: number, ...shared: Shared], A, E, R>,
  length: number,
  ...shared: { [K in keyof Shared]: Shared[K] }
): Effect.Effect<RangeResult<A>, E | JoinError, R | Blocking> =>
  ranged(task, length, undefined, shared, "Parallel.range", new Error())

/**
 * As `range`, with options.
 *
 * **Example** (On a pool for computations)
 *
 * ```ts
 * import { Blocking, Parallel, Task } from "effect-blocking"
 *
 * class Cpu extends Blocking.Pool<Cpu>()("app/Cpu") {}
 *
 * const sumOfSquares = Task.make(import.meta.url, "sumOfSquares", (start: number, end: number) => {
 *   let sum = 0
 *   for (let i = start; i < end; i++) sum += i * i
 *   return sum
 * })
 *
 * export const sums = Parallel.rangeWith(sumOfSquares, { pool: Cpu, chunkSize: 10_000 }, 1_000_000)
 * ```
 *
 * @category combinators
 * @since 0.1.0
 */
export const rangeWith = <Shared extends ReadonlyArray<unknown>, A, E, R, Self = Blocking>(
  task: Task<[start: number, end: number, ...shared: Shared], A, E, R>,
  options: Options<Self>,
  length: number,
  ...shared: { [K in keyof Shared]: Shared[K] }
): Effect.Effect<RangeResult<A>, E | JoinError, R | Self> =>
  ranged(task, length, options, shared, "Parallel.rangeWith", new Error())

const ranged = <Args extends ReadonlyArray<unknown>, A, E, R, Self>(
  task: Task<Args, A, E, R>,
  length: number,
  options: Options<Self> | undefined,
  extra: ReadonlyArray<unknown>,
  called: string,
  site: Error
): Effect.Effect<RangeResult<A>, E | JoinError, R | Self> =>
  Effect.suspend(() => {
    if (!(Number.isSafeInteger(length) && length >= 0)) {
      throw new RangeError(`${called} takes its length as an integer of at least 0, not ${describe(length)}`)
    }
    return Effect.map(
      internal.gather({ called, kind: "range", task, items: length, extra, options, site }),
      ({ inOrder }) => inOrder as RangeResult<A>
    )
  })

/**
 * Runs a task for each element of a stream, on all threads, and gives the results in the order of the
 * elements.
 *
 * **Details**
 *
 * Elements go to the threads in batches that take about four milliseconds, and as soon as a thread is free: it
 * never waits for a batch to get full. The stream is pulled as far ahead as the threads need; who takes
 * the results slowly holds it up. What elements before a failure gave comes before it. A consumer that
 * ends early stops what runs, as the `onInterrupt` of the task says. The index of a failure counts the elements.
 *
 * **Example** (Progress over many files)
 *
 * ```ts
 * import { Console, Stream } from "effect"
 * import { Parallel, Task } from "effect-blocking"
 * import { readFileSync } from "node:fs"
 *
 * const lines = Task.make(import.meta.url, "lines", (path: string) => readFileSync(path, "utf8").split("\n").length)
 *
 * export const counted = (paths: Stream.Stream<string>) =>
 *   Parallel.stream(lines, paths).pipe(
 *     Stream.tap((count) => Console.log(`${count} lines`)),
 *     Stream.runSum
 *   )
 * ```
 *
 * @category combinators
 * @since 0.1.0
 */
export const stream: <I, A, E, R, E0, R0, Self = Blocking>(
  task: Task<[item: I], A, E, R>,
  stream: Stream.Stream<NoInfer<I>, E0, R0>,
  options?: Options<Self>
) => Stream.Stream<A, E | E0 | JoinError, R | R0 | Self> = parallelStream

// -----------------------------------------------------------------------------
// Failures
// -----------------------------------------------------------------------------

/**
 * Finds which item has failed, by its index; for a range, where that begins.
 *
 * **Details**
 *
 * A domain error is the task's own, and nothing is added to it: the index is an annotation of the cause.
 *
 * **Example** (Which file was it)
 *
 * ```ts
 * import { Effect, Result } from "effect"
 * import { Parallel, Task } from "effect-blocking"
 *
 * const half = Task.make(import.meta.url, "half", (n: number) =>
 *   n % 2 === 0 ? Result.succeed(n / 2) : Result.fail("odd" as const))
 *
 * export const program = Parallel.map(half, [2, 4, 5]).pipe(
 *   Effect.tapCause((cause) => Effect.log(Parallel.failedIndex(cause))) // Some(2)
 * )
 * ```
 *
 * @category getters
 * @since 0.1.0
 */
export const failedIndex = <E>(cause: Cause.Cause<E>): Option.Option<number> =>
  Option.fromNullishOr(internal.indexOf(cause))
