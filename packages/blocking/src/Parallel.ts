/**
 * Runs one task over many items on all threads of a pool.
 *
 * The body is an ordinary task for one item, and the library loops over the items in the threads: a million
 * items are not a million runs. `map`, `filter`, `find` and `reduce` return what the same loop would return
 * on one thread, in the same order, and fail where it would fail. `range` gives each thread ranges of indices
 * and sends no items. `stream` processes a `Stream`.
 *
 * **Details**
 *
 * Items are sent in chunks that take about four milliseconds. The first chunk of each thread is one item, and
 * the time it took determines the size of the next. Chunks get smaller towards the end, so that all threads
 * finish together. A chunk that takes four times as long as planned gives back its remaining items.
 *
 * If all items are numbers, and for ranges, the items lie in shared memory. Each thread takes its next items
 * from a shared cursor, without a message, and returns to the pool every twenty milliseconds so that other
 * tasks can run. Pool processes and simulated pools share no memory: there, everything is sent in chunks.
 *
 * The first failure by index ends the operation. Items before the failed one are still processed, because one
 * of them could fail too. Items after it never start, or are stopped according to the task's `onInterrupt`. A
 * `JoinError` has the index of the item in its `item` and its message; `failedIndex` finds the index for a
 * domain error.
 *
 * `timeLimit` applies to each item and `queueTimeLimit` to each chunk. In the metrics and statistics of the
 * pool, a chunk counts as one task.
 *
 * **Gotchas**
 *
 * An item that takes a microsecond is worth a thread only if it is cheap to send. Numbers are; sending an
 * object costs about a microsecond too. A call that was slower than a plain loop logs a warning, once for
 * each call site.
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
 * Where an operation runs, and in what chunks.
 *
 * @category models
 * @since 0.1.0
 */
export interface Options<in out Self = Blocking> {
  /** The class of a named pool. Defaults to the default pool. */
  readonly pool?: Context.Key<Self, Pool> | undefined
  /**
   * The number of threads that work on it at once. An integer from 1. Defaults to the machine's available
   * parallelism; the pool's `maxThreads` is an upper bound.
   */
  readonly concurrency?: number | undefined
  /**
   * The number of items that a thread takes at once. An integer from 1. By default, as many as take a few
   * milliseconds. With a fixed size, the same items are always computed together, on any machine: a `reduce`
   * of floating-point numbers then returns the same bits each time.
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
  /**
   * `"first"` (default) finds the matching item with the lowest index, like a plain loop; `"any"` returns the
   * first match in time.
   */
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
   * The value with which each chunk starts; each chunk has its own copy. It must be neutral: combined with
   * any value, it returns that value, like 0 for a sum.
   */
  readonly initial: NoInfer<A>
  /** The task that combines two neighbouring values into one. It must be associative, but need not be commutative. */
  readonly combine: Task<[left: A, right: A], A, E, R>
}

// -----------------------------------------------------------------------------
// Operations
// -----------------------------------------------------------------------------

const itemsOf = <I>(called: string, items: Iterable<I>): ReadonlyArray<I> => {
  const given: unknown = items
  if (typeof given === "object" && given !== null && Symbol.iterator in given) return Array.from(items)
  throw new TypeError(`${called}: items must be an iterable, such as an array, not ${describe(given)}`)
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
 * Runs a task for each item and returns the results in the order of the items.
 *
 * **Details**
 *
 * Waits for room in the queue, for threads, and for all items. On interruption, queued chunks never run,
 * running chunks are stopped according to the task's `onInterrupt`, and the interruption completes when all
 * have ended. Fails with the error of the failed item with the lowest index: the task's own error or a
 * `JoinError`. Closing a scope does not stop it: it belongs to the fiber that waits for it.
 *
 * The iterable is read at the start, and each item is sent when its turn comes: the task may see changes made
 * to an item in between. `Task.move` moves an item, or a result of the body.
 *
 * **Example** (Computing the checksums of files)
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
 * Runs a task for each item and discards the results in the threads.
 *
 * **Details**
 *
 * Waits, fails and is interrupted like `map`.
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
 * Returns the items for which a task returns `true`, in their order. The threads send back only flags.
 *
 * **Details**
 *
 * Waits, fails and is interrupted like `map`.
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
 * Returns the first item for which a task returns `true`, or `None`.
 *
 * **Details**
 *
 * By default it returns the match with the lowest index, like a plain loop, and ignores failures of later
 * items. With `which: "any"`, it returns the first match in time. Items after the match never start, or are
 * stopped.
 *
 * Waits, fails and is interrupted like `map`.
 *
 * **Example** (Finding a file that contains a word)
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
 * Reduces all items to one value: `step` folds each chunk in a thread, starting from `initial`, and `combine`
 * merges the values of the chunks, in their order.
 *
 * **Details**
 *
 * Without items, it returns `initial`. The number of items in a chunk depends on the time they take, so
 * `initial` must be neutral and `combine` associative; otherwise the result depends on the machine. Addition
 * of floating-point numbers is not quite associative: set `chunkSize` where the last bits matter.
 *
 * Waits, fails and is interrupted like `map`.
 *
 * **Example** (Counting words)
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
 * The result of `Parallel.range`: `void` for a body that returns nothing, otherwise the values returned for
 * the ranges, in their order.
 *
 * @category models
 * @since 0.1.0
 */
export type RangeResult<A> = [A] extends [void] ? void : Array<Exclude<A, undefined>>

/**
 * Runs a task over the numbers from 0 to `length`, a range at a time. The body gets the start (inclusive) and
 * end (exclusive) of its range, and the shared arguments.
 *
 * **When to use**
 *
 * Use for large arrays of numbers, images and matrices in a `SharedArrayBuffer`, which the threads read and
 * write in place. Also use for a loop so short that a call for each item would cost more.
 *
 * **Details**
 *
 * The length of a range depends on the time it takes. Returns the value of the body for each range, in order,
 * without `undefined`. The shared arguments are sent to each thread every twenty milliseconds: keep them
 * small, or in shared memory. A body that loops for long should call `Task.checkpoint`.
 *
 * Waits, fails and is interrupted like `map`; a failure has the start of its range as its index. `rangeWith`
 * takes options.
 *
 * **Gotchas**
 *
 * Pool processes share no memory: a `SharedArrayBuffer` fails there with reason `NotCloneable`.
 *
 * **Example** (Brightening an image)
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
 * Like `range`, with options.
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
      throw new RangeError(`${called}: length must be an integer of at least 0, not ${describe(length)}`)
    }
    return Effect.map(
      internal.gather({ called, kind: "range", task, items: length, extra, options, site }),
      ({ inOrder }) => inOrder as RangeResult<A>
    )
  })

/**
 * Runs a task for each element of a stream on all threads of a pool, and emits the results in the order of
 * the elements.
 *
 * **Details**
 *
 * Elements are sent to the threads in batches that take about four milliseconds. A free thread never waits
 * for a batch to fill. The stream is pulled as far ahead as the threads need, and a slow consumer slows it
 * down. The results of elements before a failure arrive before it. When the consumer ends early, running
 * batches are stopped according to the task's `onInterrupt`. The index of a failure is the index of its
 * element.
 *
 * **Example** (Reporting progress)
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
 * Returns the index of the failed item, or the start of the failed range.
 *
 * **Details**
 *
 * A domain error is left unchanged: the index is an annotation of the cause.
 *
 * **Example** (Finding the failed item)
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
