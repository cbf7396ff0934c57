/** The waits for receipts: while there are any, one fiber queries the storage for all of them. */
import * as Deferred from "effect/Deferred"
import * as Effect from "effect/Effect"
import * as Latch from "effect/Latch"
import type * as Scope from "effect/Scope"
import { idOf, type Outcome, type ReceiptKey, type Receipts } from "./receipts.ts"

export interface Waiters {
  /** Waits until the receipt is settled, or found to be missing. Failures of the storage are logged and retried. */
  readonly await: (key: ReceiptKey) => Effect.Effect<Outcome>
  /** To be run when this program has settled a receipt: queries the storage at once. */
  readonly settledHere: Effect.Effect<void>
}

/** The first time between two queries; it doubles while nothing is settled, up to the poll interval. Arbitrary. */
const firstMillis = 10

export const makeWaiters = (
  receipts: Pick<Receipts, "outcomes">,
  pollMillis: number
): Effect.Effect<Waiters, never, Scope.Scope> =>
  Effect.gen(function*() {
    const waiting = new Map<
      string,
      { readonly key: ReceiptKey; readonly done: Deferred.Deferred<Outcome>; n: number }
    >()
    const somebody = Latch.makeUnsafe(false)
    const nudge = Latch.makeUnsafe(false)
    let millis = firstMillis

    const ask = Effect.gen(function*() {
      // Closed before the query: a receipt that is settled after it opens the latch again.
      nudge.closeUnsafe()
      const outcomes = yield* receipts.outcomes(Array.from(waiting.values(), ({ key }) => key))
      for (const outcome of outcomes) {
        const id = idOf(outcome)
        const waiter = waiting.get(id)
        if (waiter === undefined) continue
        waiting.delete(id)
        Deferred.doneUnsafe(waiter.done, Effect.succeed(outcome))
      }
      millis = outcomes.length > 0 ? firstMillis : Math.min(millis * 2, pollMillis)
    })

    yield* Effect.gen(function*() {
      while (true) {
        if (waiting.size === 0) {
          somebody.closeUnsafe()
          yield* somebody.await
        }
        yield* Effect.catchCause(
          ask,
          (cause) => Effect.andThen(Effect.logWarning("Receipts could not be read", cause), Effect.sleep(500))
        )
        if (waiting.size > 0) yield* Effect.raceFirst(Effect.sleep(millis), nudge.await)
      }
    }).pipe(Effect.interruptible, Effect.forkScoped)

    return {
      await: (key) =>
        Effect.suspend(() => {
          const id = idOf(key)
          let waiter = waiting.get(id)
          if (waiter === undefined) {
            waiting.set(id, waiter = { key, done: Deferred.makeUnsafe(), n: 0 })
            millis = firstMillis
            somebody.openUnsafe()
            nudge.openUnsafe()
          }
          const mine = waiter
          mine.n++
          return Effect.ensuring(
            Deferred.await(mine.done),
            Effect.sync(() => {
              if (--mine.n === 0 && waiting.get(id) === mine) waiting.delete(id)
            })
          )
        }),
      settledHere: Effect.sync(() => nudge.openUnsafe())
    }
  })
