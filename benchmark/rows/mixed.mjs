/**
 * Every 100 ms, 100 tasks come at once: 99 times `a + b`, and one task that blocks its thread for
 * 50 ms, at a random position (the same for all contenders). One operation: a tiny task, from the
 * start of its fiber to its end. With two threads, no tiny task needs to wait for a long one.
 */
import { Effect } from "effect"
import { setTimeout as sleep } from "node:timers/promises"
import { least } from "../best.mjs"
import { equal, quantile, range } from "../measure.mjs"
import { peers, self } from "../names.mjs"

export const title = "1 % tasks of 50 ms among tiny ones"

const others = [...peers, "poolifier-queue"]

export const contenders = [self, ...others]

export const metrics = [
  { key: "p99", label: "tiny tasks, p99, ms", better: "less" },
  { key: "max", label: "tiny tasks, longest, ms", better: "less" }
]

const size = 100

export const measure = async ({ start }, { count }) => {
  const pool = await start({ threads: 2 })
  const times = []
  const tiny = (i) =>
    Effect.gen(function*() {
      const begin = performance.now()
      equal(yield* pool.run("add", i, 1), i + 1, "the result")
      times.push(performance.now() - begin)
    })
  const burst = (long) =>
    Effect.runPromise(
      Effect.forEach(range(size), (i) => i === long ? pool.run("nap", 50) : tiny(i), {
        concurrency: "unbounded",
        discard: true
      })
    )

  for (const long of [10, 90, 50]) await burst(long)
  times.length = 0
  let random = 1
  for (const _ of range(count(12))) {
    random = (random * 48271) % 2147483647
    const next = sleep(100)
    await burst(random % size)
    await next
  }
  return { p99: quantile(times, 0.99), max: quantile(times, 1) }
}

export const budgets = (median) => [
  {
    what: "1 % tasks of 50 ms, p99 of the tiny ones, times the best peer",
    value: median(self, "p99") / least(median, others, "p99"),
    below: 1
  }
]
