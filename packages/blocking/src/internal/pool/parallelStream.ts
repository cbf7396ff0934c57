/** Runs a task for each element of a stream on all threads: pulls batches and emits the results in order. */
import * as Cause from "effect/Cause"
import * as Context from "effect/Context"
import * as Effect from "effect/Effect"
import * as Exit from "effect/Exit"
import * as Latch from "effect/Latch"
import type * as Scope from "effect/Scope"
import * as Stream from "effect/Stream"
import type { Pool } from "../../Blocking.ts"
import type { JoinError } from "../../JoinError.ts"
import type { Options } from "../../Parallel.ts"
import type { Task } from "../../Task.ts"
import { FailedItem, loopTask } from "../task/loops.ts"
import type { LoopValue } from "../wire/loops.ts"
import { mayHoldStandIns } from "../wire/moved.ts"
import { Pace } from "./chunks.ts"
import { named } from "./loops.ts"
import { chunkSizeOf, lanesOf, poolOf } from "./parallel.ts"

const called = "Parallel.stream"

/** The maximum number of elements in a batch. */
const maxBatch = 1024

/** The elements of one run, and the index of the first. */
interface Batch<I> {
  readonly first: number
  readonly items: ReadonlyArray<I>
}

/** The outcome of a batch: the results before the first failure, and that failure. */
interface Done<A, E> {
  readonly values: Array<A>
  readonly failure: Cause.Cause<E | JoinError> | undefined
}

export const parallelStream = <I, A, E, R, E0, R0, Self>(
  task: Task<[item: I], A, E, R>,
  self: Stream.Stream<I, E0, R0>,
  options: Options<Self> | undefined
): Stream.Stream<A, E | E0 | JoinError, R | R0 | Self> =>
  Stream.unwrap(Effect.flatMap(poolOf(options), (pool) =>
    Effect.map(pool.stats, (stats) => {
      const lanes = lanesOf(called, options, stats)
      const pace = new Pace(lanes, chunkSizeOf(called, options))
      return Stream.scoped(Stream.fromPull(batches(self, lanes, pace))).pipe(
        Stream.mapEffect((batch) => run(pool, task, batch, pace), { concurrency: lanes }),
        Stream.flatMap(({ failure, values }) =>
          failure === undefined
            ? Stream.fromArray(values)
            : Stream.concat(Stream.fromArray(values), Stream.failCause(failure))
        )
      )
    })))

/**
 * Splits the stream into batches: the elements available when a thread is free, up to the size that the pace
 * allows. Pulls ahead one batch per lane.
 */
const batches = <I, E0, R0>(
  self: Stream.Stream<I, E0, R0>,
  lanes: number,
  pace: Pace
): Effect.Effect<
  Effect.Effect<readonly [Batch<I>], E0 | Cause.Done>,
  never,
  R0 | Scope.Scope
> =>
  Effect.gen(function*() {
    const pull = yield* Stream.toPull(self)
    const buffer: Array<I> = []
    let taken = 0
    let end: Exit.Exit<never, E0 | Cause.Done> | undefined
    const hasItems = Latch.makeUnsafe(false)
    const hasRoom = Latch.makeUnsafe(true)
    const wanted = (): number => pace.size(Infinity, maxBatch)

    yield* Effect.forkScoped(
      Effect.gen(function*() {
        while (true) {
          yield* hasRoom.await
          buffer.push(...yield* pull)
          hasItems.openUnsafe()
          if (buffer.length >= lanes * wanted()) hasRoom.closeUnsafe()
        }
      }).pipe(
        Effect.onExit((exit) =>
          Effect.sync(() => {
            end = exit as Exit.Exit<never, E0 | Cause.Done>
            hasItems.openUnsafe()
          })
        ),
        Effect.ignoreCause
      )
    )

    return Effect.gen(function*() {
      yield* hasItems.await
      if (buffer.length === 0) return yield* end!
      const first = taken
      const items = buffer.splice(0, wanted())
      taken += items.length
      if (buffer.length === 0 && end === undefined) hasItems.closeUnsafe()
      if (buffer.length < lanes * wanted()) hasRoom.openUnsafe()
      return [{ first, items }] as const
    })
  })

/** Runs the task for the elements of a batch. Never fails, so that results before a failure can be emitted first. */
const run = <I, A, E, R>(
  pool: Pool,
  task: Task<[item: I], A, E, R>,
  { first, items }: Batch<I>,
  pace: Pace
): Effect.Effect<Done<A, E>, never, R> =>
  Effect.gen(function*() {
    const values: Array<A> = []
    const times = pace.times(task.options.timeLimit !== undefined)
    // Moved elements cannot be given back.
    const limited = mayHoldStandIns(items) ? { ...times, limitMillis: Infinity } : times
    while (values.length < items.length) {
      const start = first + values.length
      const args = [start, items.slice(values.length), limited, [], true]
      const exit: Exit.Exit<LoopValue, E | JoinError> = yield* Effect.exit(pool.run(loopTask(task, "map"), ...args))
      if (Exit.isFailure(exit)) {
        const { cause } = exit
        const before = Context.getOrUndefined(Cause.annotations(cause), FailedItem)?.before ?? []
        for (const value of before) values.push(value as A)
        return { values, failure: named(cause, { first: start, last: first + items.length - 1 }) }
      }
      const [millis, done, given] = exit.value
      pace.learn(millis, done)
      for (const value of given as ArrayLike<A> & Iterable<A>) values.push(value)
    }
    return { values, failure: undefined }
  })
