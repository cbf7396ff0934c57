/**
 * One operation: `yield* pool.run("add", i, 1)`, one after another in one fiber, on an otherwise
 * idle pool. The bare contender answers each message of a Worker with the next one, without
 * Effect.
 */
import { Effect } from "effect"
import { least } from "../best.mjs"
import { equal, quantile } from "../measure.mjs"
import { peers, self } from "../names.mjs"

export const title = "Round trip: one task after the other"

export const contenders = [self, ...peers, "bare"]

export const metrics = [
  { key: "median", label: "median, µs", better: "less" },
  { key: "p99", label: "p99, µs", better: "less" }
]

const sequence = async (pool, count) => {
  const times = new Float64Array(count)
  let sum = 0
  await Effect.runPromise(Effect.gen(function*() {
    for (let i = 0; i < count; i++) {
      const start = performance.now()
      sum += yield* pool.run("add", i, 1)
      times[i] = performance.now() - start
    }
  }))
  return { times, sum }
}

export const measure = async ({ pingPong, start, startWorker }, { count }) => {
  const [run, subject] = pingPong === undefined
    ? [sequence, await start({ threads: 2 })]
    : [pingPong, await startWorker()]
  await run(subject, count(3000))
  const total = count(10_000)
  const { sum, times } = await run(subject, total)
  equal(sum, (total * (total + 1)) / 2, "the sum of the results")
  return { median: quantile(times, 0.5) * 1000, p99: quantile(times, 0.99) * 1000 }
}

export const budgets = (median) => [
  {
    what: "round trip, median, times bare postMessage",
    value: median(self, "median") / median("bare", "median"),
    atMost: 1.15
  },
  {
    what: "round trip, p99, times the best peer",
    value: median(self, "p99") / least(median, peers, "p99"),
    atMost: 1.1
  }
]
