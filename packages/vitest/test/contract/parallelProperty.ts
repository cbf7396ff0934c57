/** `Parallel` against a plain loop, over random items, failures, options and interruptions. */
import { assert, describe, it } from "@effect/vitest"
import { Cause, Effect, Exit, Fiber, Option, Result } from "effect"
import { Blocking, JoinError, Parallel } from "effect-blocking"
import { random } from "../../../blocking/test/utils/random.ts"
import { type Backend, poolOf } from "./backend.ts"
import * as tasks from "./parallelTasks.ts"

type Item = number | tasks.Person

/** The outcome: a value, or a failure with its index. */
type Outcome =
  | { readonly value: unknown }
  | { readonly index: number | undefined; readonly failed: string }

/** The outcome of a plain loop. */
const loop = <A>(
  items: ReadonlyArray<Item>,
  body: (item: Item, i: number) => Result.Result<unknown, string>,
  end: () => A
): Outcome => {
  for (let index = 0; index < items.length; index++) {
    try {
      const result = body(items[index]!, index)
      if (Result.isFailure(result)) return { index, failed: result.failure }
      if (result.success === stop) break
    } catch (thrown) {
      return { index, failed: (thrown as Error).message }
    }
  }
  return { value: end() }
}

/** Thrown by a plain loop to end at its match. */
const stop = Symbol("stop")

const outcomeOf = <A, E>(exit: Exit.Exit<A, E>): Outcome => {
  if (Exit.isSuccess(exit)) return { value: exit.value }
  const error: unknown = Cause.squash(exit.cause)
  const index = Option.getOrUndefined(Parallel.failedIndex(exit.cause))
  if (!JoinError.isJoinError(error)) return { index, failed: String(error) }
  return { index, failed: error.reason._tag === "Panicked" ? (error.reason.thrown as Error).message : error.message }
}

/** The operations, each with its equivalent plain loop. */
const operations: ReadonlyArray<
  (items: ReadonlyArray<Item>, options: Parallel.Options) => readonly [
    run: Effect.Effect<unknown, unknown, Blocking.Blocking>,
    expected: Outcome
  ]
> = [
  (items, options) => {
    const results: Array<unknown> = []
    const expected = loop(items, (item) => {
      const result = tasks.modelled.body(item) as Result.Result<number, string>
      if (Result.isSuccess(result)) results.push(result.success)
      return result
    }, () => results)
    return [Parallel.map(tasks.modelled, items, options), expected]
  },
  (items, options) => {
    const kept: Array<Item> = []
    const expected = loop(items, (item) => {
      const result = tasks.modelledTest.body(item) as Result.Result<boolean, string>
      if (Result.isSuccess(result) && result.success) kept.push(item)
      return result
    }, () => kept)
    return [Parallel.filter(tasks.modelledTest, items, options), expected]
  },
  (items, options) => {
    let found = Option.none<Item>()
    const expected = loop(items, (item) => {
      const result = tasks.modelledTest.body(item) as Result.Result<boolean, string>
      if (!Result.isSuccess(result) || !result.success) return result
      found = Option.some(item)
      return Result.succeed(stop)
    }, () => found)
    return [Parallel.find(tasks.modelledTest, items, options), expected]
  },
  (items, options) => {
    let text = ""
    const expected = loop(items, (item) => {
      const result = tasks.modelledStep.body(text, item) as Result.Result<string, string>
      if (Result.isSuccess(result)) text = result.success
      return result
    }, () => text)
    return [Parallel.reduce(tasks.modelledStep, items, { ...options, initial: "", combine: tasks.concat }), expected]
  }
]

export const parallelProperty = (backend: Backend): void => {
  const withPool = poolOf(backend)
  const cases = backend.name === "processes" ? 40 : 120

  describe(`parallel property: ${backend.name}`, () => {
    it.live(
      "R1, R2, R5: returns what a plain loop returns, fails where it fails, and leaves nothing behind when interrupted",
      () =>
        withPool({ maxThreads: 3 }, (pool) =>
          Effect.gen(function*() {
            const seed = Number(process.env["PARALLEL_SEED"] ?? 20_261_201)
            const next = random(seed)
            const seen = { failed: 0, succeeded: 0, interrupted: 0 }
            for (let i = 0; i < cases; i++) {
              const length = next(4) === 0 ? next(5) : next(600)
              const failures = length > 0 && next(3) === 0 ? 3 : 0
              const numbers = Array.from({ length }, () => next(900))
              for (let f = 0; f < failures; f++) numbers[next(length)] = 998 + next(2)
              const items: Array<Item> = next(2) === 0 ? numbers : numbers.map((id) => ({ id, name: "name" }))
              const options: Parallel.Options = {
                concurrency: next(2) === 0 ? undefined : 1 + next(3),
                chunkSize: next(2) === 0 ? undefined : 1 + next(40)
              }
              const which = next(operations.length)
              const [run, expected] = operations[which]!(items, options)
              const onPool = Effect.provideService(run, Blocking.Blocking, pool)
              const what = `seed ${seed}, case ${i}, operation ${which}`
              if (next(4) === 0) {
                const fiber = yield* Effect.forkChild(onPool, { startImmediately: true })
                const turns = next(8)
                for (let turn = 0; turn < turns; turn++) yield* Effect.yieldNow
                yield* Fiber.interrupt(fiber)
                const { queueDepth, running } = yield* pool.stats
                assert.deepStrictEqual({ queueDepth, running: running.length }, { queueDepth: 0, running: 0 }, what)
                if (Exit.hasInterrupts(yield* Fiber.await(fiber))) seen.interrupted++
              }
              const outcome = outcomeOf(yield* Effect.exit(onPool))
              assert.deepStrictEqual(outcome, expected, what)
              if ("failed" in outcome) seen.failed++
              else seen.succeeded++
            }
            // Every kind of outcome has occurred.
            assert.isTrue(Object.values(seen).every((count) => count > 2), JSON.stringify(seen))
          })),
      60_000
    )
  })
}
