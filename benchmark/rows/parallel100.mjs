/**
 * One operation: a computation over 5000 items of about 100 microseconds each, on two threads. Measures the time for all
 * items. This library uses `Parallel.map`, poolifier uses `mapExecute`; the others run a task for each item, 1000 at a
 * time.
 */
import { Effect } from "effect"
import { least } from "../best.mjs"
import { waves } from "../contenders/bodies.mjs"
import { close, equal, range } from "../measure.mjs"
import { peers, self } from "../names.mjs"

export const title = "5000 items of 100 µs"

export const contenders = [self, "loop", "effect-blocking-each", ...peers]

export const limitMillis = 60_000

export const metrics = [
  { key: "millis", label: "all of them, ms", better: "less" },
  // On a machine with other work, this is the better figure.
  { key: "cpuMillis", label: "CPU time of all threads, ms", better: "less" }
]

/** Different kinds of items. */
const kinds = 8

/** The approximate number of rounds of `waves` in a microsecond. */
export const perMicro = 43

/** Measures a task over items, with each contender's own method. `check` gets the results. */
export const timeItems = async (pool, task, items, check) => {
  const map = pool.map ??
    ((task, items) => Effect.forEach(items, (item) => pool.run(task, item), { concurrency: 1000 }))
  // Starts the threads, and warms up the code.
  check(await Effect.runPromise(map(task, items.slice(0, Math.ceil(items.length / 10)))), Math.ceil(items.length / 10))
  const [start, cpu] = [performance.now(), process.cpuUsage()]
  const results = await Effect.runPromise(map(task, items))
  const millis = performance.now() - start
  const { system, user } = process.cpuUsage(cpu)
  check(results, items.length)
  return { millis, cpuMillis: (user + system) / 1000 }
}

export const mapItems = async ({ start }, count, micros) => {
  const pool = await start({ threads: 2 })
  const rounds = range(kinds).map((kind) => Math.max(1, micros * perMicro - kinds / 2 + kind))
  const expected = rounds.map(waves)
  const values = await timeItems(pool, "waves", range(count).map((i) => rounds[i % kinds]), (results, length) => {
    equal(results.length, length, "the number of results")
    for (let i = 0; i < length; i++) equal(results[i], expected[i % kinds], `result ${i}`)
  })
  await close(pool)
  return values
}

export const measure = (contender, { count }) => mapItems(contender, count(5000), 100)

export const budgetsOf = (what) => (median) => [
  {
    what: `${what}: less 5 ms, times a plain loop`,
    value: (median(self, "millis") - 5) / median("loop", "millis"),
    atMost: 1.1
  },
  {
    what: `${what}: times the best peer`,
    value: median(self, "millis") / least(median, peers, "millis"),
    below: 1
  }
]

export const budgets = (median) => [
  {
    what: "items of 100 µs on two threads: times half of the plain loop",
    value: median(self, "millis") / (median("loop", "millis") / 2),
    atMost: 1.1
  },
  ...budgetsOf("items of 100 µs")(median)
]
