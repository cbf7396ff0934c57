/**
 * The cost of observability. Metrics: tiny tasks as in row `tiny`, alone and while a fiber takes a
 * snapshot of all metrics ten times a second, alternately in one process; and the records that the
 * scheduler makes for each task, measured alone, as a share of the time of a task. Spans: the check
 * whether the caller is traced, measured alone; and, for information, tiny tasks of a traced caller.
 */
import { Effect, Metric, Schedule } from "effect"
import { additions, quantile, throughput, timed } from "../measure.mjs"
import { self } from "../names.mjs"

export const title = "Metrics and spans"

export const contenders = [self]

export const metrics = [
  { key: "perSecond", label: "tasks per second", better: "more" },
  { key: "scraped", label: "tasks per second while metrics are read", better: "more" },
  { key: "lost", label: "throughput lost to that, %, median of pairs", better: "less" },
  { key: "traced", label: "tasks per second with a span each", better: "more" },
  { key: "recordNanos", label: "metrics recorded for a task, ns", better: "less" },
  { key: "askNanos", label: "check for a traced caller, ns", better: "less" }
]

const internal = (module) => import(new URL(`./internal/${module}.js`, import.meta.resolve("effect-blocking")).href)

/** Nanoseconds of each call, the best of some passes: this excludes pauses of the machine. */
const nanos = (call) => {
  const count = 1_000_000
  let best = Infinity
  for (let pass = 0; pass < 7; pass++) {
    const start = performance.now()
    for (let i = 0; i < count; i++) call(i)
    best = Math.min(best, performance.now() - start)
  }
  return (best * 1e6) / count
}

export const measure = async ({ start }, { millis }) => {
  const pool = await start({ threads: 2 })
  const tasks = additions(pool)
  const { perSecond: warm } = await throughput({
    millis: millis(300),
    warmUpMillis: millis(1500),
    concurrency: 1000,
    ...tasks
  })
  const count = Math.round((warm * millis(200)) / 1000)
  const pass = async () => {
    const seconds = await timed(count, 1000, tasks.operation)
    tasks.check(count)
    return count / seconds
  }
  const plain = []
  const scraped = []
  const lost = []
  for (let turn = 0; turn < 11; turn++) {
    const alone = await pass()
    const reader = Effect.runFork(Effect.repeat(Metric.snapshot, Schedule.spaced("100 millis")))
    const read = await pass()
    reader.interruptUnsafe()
    plain.push(alone)
    scraped.push(read)
    lost.push((1 - read / alone) * 100)
  }

  const traced = additions(pool)
  const { perSecond } = await throughput({
    millis: millis(300),
    concurrency: 1000,
    ...traced,
    operation: (i) => Effect.withSpan(traced.operation(i), "caller")
  })

  const [{ durationBoundaries, Histogram }, { beginSpan }] = await Promise.all(
    ["scheduler/histogram", "pool/tracing"].map(internal)
  )
  const waits = new Histogram(durationBoundaries)
  const runs = new Histogram(durationBoundaries)
  const outcomes = { Succeeded: 0 }
  // With a thousand tasks at a time, each waits about a millisecond.
  const recordNanos = nanos((i) => {
    waits.record(0.5 + (i & 1023) / 1024)
    runs.record(0.001)
    outcomes.Succeeded++
  })
  const task = { name: "add", module: "file:///tasks.js", options: {} }
  const askNanos = await Effect.runPromise(Effect.sync(() => nanos(() => beginSpan("bench", task))))

  return {
    perSecond: quantile(plain, 0.5),
    scraped: quantile(scraped, 0.5),
    lost: quantile(lost, 0.5),
    traced: perSecond,
    recordNanos,
    askNanos
  }
}

export const budgets = (median) => {
  const taskNanos = 1e9 / median(self, "perSecond")
  return [
    { what: "metrics that are read, throughput lost, %", value: median(self, "lost"), atMost: 3 },
    {
      what: "metrics recorded, share of the time of a tiny task, %",
      value: (median(self, "recordNanos") / taskNanos) * 100,
      atMost: 3
    },
    // Arbitrary: too little for any throughput row to show.
    {
      what: "spans without a tracer, share of the time of a tiny task, %",
      value: (median(self, "askNanos") / taskNanos) * 100,
      atMost: 1
    }
  ]
}
