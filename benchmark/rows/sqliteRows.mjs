/**
 * A million rows of six columns for a consumer that adds them up, as a stream where the contender has streams. Then a
 * hundred thousand rows at once, as objects.
 */
import { Effect } from "effect"
import * as files from "../contenders/sqlite/files.mjs"
import { collectGarbage, equal, watchEventLoop } from "../measure.mjs"
import { self } from "../names.mjs"
import { contenders, withDatabase } from "../sqlite.mjs"

export const title = "SQLite: many rows"

export const folder = "sqlite"

export { contenders }

export const limitMillis = 60_000

export const metrics = [
  { key: "perSecond", label: "rows of a stream, per second", better: "more" },
  { key: "residentMb", label: "resident memory beyond that at the start, a million rows streamed, MB", better: "less" },
  { key: "residentQuarterMb", label: "the same, a quarter of a million rows, MB", better: "less" },
  { key: "streamP99", label: "event-loop delay meanwhile, p99, ms", better: "less" },
  { key: "allMillis", label: "100 000 rows at once, ms", better: "less" },
  { key: "allMax", label: "event-loop delay meanwhile, longest, ms", better: "less" }
]

export const measure = (contender, { count }) =>
  withDatabase(contender, async ({ all, stream }) => {
    const values = {}
    if (stream !== undefined) {
      collectGarbage()
      const resident = process.memoryUsage().rss
      const peakOf = async (rows) => {
        let [seen, sum, peak] = [0, 0, 0]
        await Effect.runPromise(stream(rows, (chunk) => {
          seen += chunk.length
          for (const { price } of chunk) sum += price
          if (seen % 50_000 < chunk.length) peak = Math.max(peak, process.memoryUsage().rss)
          return Effect.void
        }))
        equal(seen, rows, "the number of rows")
        return (Math.max(peak, process.memoryUsage().rss) - resident) / 2 ** 20
      }
      values.residentQuarterMb = await peakOf(count(250_000))
      const watched = await watchEventLoop()
      const start = performance.now()
      values.residentMb = await peakOf(count(1_000_000))
      values.perSecond = count(1_000_000) / ((performance.now() - start) / 1000)
      values.streamP99 = (await watched.stop()).p99
    }
    await Effect.runPromise(all(files.allRows, [count(100_000)]))
    const watched = await watchEventLoop()
    const start = performance.now()
    equal((await Effect.runPromise(all(files.allRows, [count(100_000)]))).length, count(100_000), "the number of rows")
    values.allMillis = performance.now() - start
    values.allMax = (await watched.stop()).max
    return values
  })

export const budgets = (median) => [
  { what: "event-loop delay of a stream, p99, ms", value: median(self, "streamP99"), below: 5 },
  {
    what: "resident memory of a million rows, MB beyond that of a quarter of a million",
    value: median(self, "residentMb") - median(self, "residentQuarterMb"),
    below: 50
  }
]
