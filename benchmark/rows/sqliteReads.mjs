/** One operation: read one row by its key, as an object on the event loop, at three levels of concurrency. */
import { Effect } from "effect"
import * as files from "../contenders/sqlite/files.mjs"
import { equal, throughput, watchEventLoop } from "../measure.mjs"
import { self } from "../names.mjs"
import { contenders, withDatabase } from "../sqlite.mjs"

export const title = "SQLite: point reads"

export const folder = "sqlite"

export { contenders }

export const metrics = [
  { key: "one", label: "one at a time, per second", better: "more" },
  { key: "sixtyFour", label: "64 at a time, per second", better: "more" },
  { key: "thousand", label: "1000 at a time, per second", better: "more" },
  { key: "loopP99", label: "event-loop delay at 64, p99, ms", better: "less" }
]

export const measure = (contender, { millis }) =>
  withDatabase(contender, async ({ read }) => {
    let found = 0
    const operation = (i) =>
      Effect.map(read(1 + i * 7919 % files.rows), (row) => {
        found += row.id === 1 + i * 7919 % files.rows ? 1 : 0
      })
    const check = (count) => {
      equal(found, count, "the number of right rows")
      found = 0
    }
    const at = (concurrency) => throughput({ millis: millis(1000), concurrency, operation, check })
    const one = await at(1)
    await at(64)
    const watched = await watchEventLoop()
    const sixtyFour = await at(64)
    const { p99 } = await watched.stop()
    const thousand = await at(1000)
    return {
      one: one.perSecond,
      sixtyFour: sixtyFour.perSecond,
      thousand: thousand.perSecond,
      loopP99: p99
    }
  })

export const budgets = (median) => [
  {
    what: "point reads at 64, times better-sqlite3 in piscina",
    value: median(self, "sixtyFour") / median("better-sqlite3-piscina", "sixtyFour"),
    atLeast: 3
  },
  { what: "event-loop delay of point reads, p99, ms", value: median(self, "loopP99"), below: 5 }
]
