/** `Blocking.inPlace`: runs work on the calling thread and measures its time. */
import * as Duration from "effect/Duration"
import * as Effect from "effect/Effect"
import type { LazyArg } from "effect/Function"
import * as Metric from "effect/Metric"
import type { InPlaceOptions } from "../../Blocking.ts"
import { inPoolThread } from "../../Task.ts"

declare const performance: { readonly now: () => number }

/** Arbitrary: a tenth of the delay that users still perceive as immediate. */
const defaultBudgetMillis = 10

const heldMillis = Metric.histogram("effect_blocking_in_place_millis", {
  description: "How long Blocking.inPlace blocked the event loop, in milliseconds",
  boundaries: [0.1, 0.3, 1, 3, 10, 30, 100, 300, 1000, 3000]
})

export const runInPlace = <A>(thunk: LazyArg<A>, options?: InPlaceOptions): Effect.Effect<A> => {
  if (inPoolThread()) return Effect.sync(thunk)
  const budget = options?.budget === undefined ? defaultBudgetMillis : Duration.toMillis(options.budget)
  const site = new Error()
  return Effect.suspend(() => {
    // The machine's clock, not the fiber's: the event loop is blocked in real time, also under a test
    // clock.
    const start = performance.now()
    return Effect.onExit(Effect.sync(thunk), () => {
      const held = performance.now() - start
      const record = Metric.update(heldMillis, held)
      if (held <= budget) return record
      return Effect.andThen(
        record,
        Effect.logWarning(
          `Blocking.inPlace blocked the event loop for ${held.toFixed(1)} ms (budget ${budget} ms) at ${
            callSite(site)
          }: ` +
            "run it on a pool thread with Blocking.run"
        )
      )
    })
  })
}

/** The first frame below this module. */
const callSite = (site: Error): string => site.stack?.split("\n")[2]?.trim().replace(/^at /, "") ?? "an unknown place"
