/**
 * One million items of about a microsecond each. Items and results are numbers. Measures the time, the memory beyond the
 * items and the results, and the event-loop delay meanwhile.
 */
import { Effect } from "effect"
import { waves } from "../contenders/bodies.mjs"
import { close, collectGarbage, equal, range, watchEventLoop } from "../measure.mjs"
import { self } from "../names.mjs"
import { perMicro } from "./parallel100.mjs"

export const title = "One million items of 1 µs"

export const contenders = [self, "loop"]

export const limitMillis = 60_000

export const metrics = [
  { key: "millis", label: "all of them, ms", better: "less" },
  { key: "bytes", label: "most bytes per item while it runs", better: "less" },
  { key: "delayP99", label: "event-loop delay, p99, ms", better: "less" },
  { key: "delayMax", label: "event-loop delay, longest, ms", better: "less" }
]

const used = () => {
  const { arrayBuffers, heapUsed } = process.memoryUsage()
  return arrayBuffers + heapUsed
}

export const measure = async ({ start }, { count }) => {
  const pool = await start({ threads: 2 })
  const length = count(1_000_000)
  const items = range(length).map((i) => perMicro + i % 2)
  const expected = [waves(perMicro), waves(perMicro + 1)]
  await Effect.runPromise(pool.map("waves", items.slice(0, length / 10)))
  const eventLoop = await watchEventLoop()
  collectGarbage()
  const before = used()
  let most = 0
  const timer = setInterval(() => {
    most = Math.max(most, used() - before)
  }, 5)
  const begin = performance.now()
  const results = await Effect.runPromise(pool.map("waves", items))
  const millis = performance.now() - begin
  clearInterval(timer)
  const { max, p99 } = await eventLoop.stop()
  equal(results.length, length, "the number of results")
  for (let i = 0; i < length; i++) equal(results[i], expected[i % 2], `result ${i}`)
  await close(pool)
  return { millis, bytes: most / length, delayP99: p99, delayMax: max }
}

export const budgets = (median) => [
  {
    what: "a million items of 1 µs: less 5 ms, times a plain loop",
    value: (median(self, "millis") - 5) / median("loop", "millis"),
    atMost: 1.1
  },
  { what: "a million items, bytes each while it runs", value: median(self, "bytes"), atMost: 400 },
  { what: "a million items, event-loop delay p99, ms", value: median(self, "delayP99"), atMost: 20 }
]
