/** One operation: a call of a body that does nothing, to one of two runners on this machine, over a socket. */
import { Effect } from "effect"
import { withFarm, withRedis } from "../cluster.mjs"
import { quantile, throughput } from "../measure.mjs"
import { self } from "../names.mjs"

export const title = "Farm: calls that do nothing"

export const folder = "cluster"
export const limitMillis = 60_000

export const contenders = [self, "effect-entity", "effect-rpc", ...withRedis]

export const metrics = [
  { key: "median", label: "one after the other: median, ms", better: "less" },
  { key: "p99", label: "one after the other: p99, ms", better: "less" },
  { key: "perSecond", label: "32 at a time, per second", better: "more" }
]

export const measure = (contender, { count, millis }) =>
  withFarm(contender, {}, async ({ call }) => {
    const once = () => Effect.runPromise(call(0))
    for (let i = 0; i < count(200); i++) await once()
    const times = []
    for (let i = 0; i < count(1000); i++) {
      const from = performance.now()
      await once()
      times.push(performance.now() - from)
    }
    const { perSecond } = await throughput({
      millis: millis(1500),
      concurrency: 32,
      operation: () => call(0),
      check: () => {}
    })
    return { median: quantile(times, 0.5), p99: quantile(times, 0.99), perSecond }
  })

export const budgets = (median) => [
  {
    what: "a call, median, as a part of Effect's own entity call",
    value: median(self, "median") / median("effect-entity", "median"),
    atMost: 1.2
  }
]
