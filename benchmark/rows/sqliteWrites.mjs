/**
 * One operation: one insert that commits by itself; a transaction of five inserts in one call (`batch`, or a function
 * with better-sqlite3); the same with a call for each statement. WAL, synchronous NORMAL.
 */
import { throughput, watchEventLoop } from "../measure.mjs"
import { self } from "../names.mjs"
import { contenders, withDatabase } from "../sqlite.mjs"

export const title = "SQLite: writes"

export const folder = "sqlite"

export { contenders }

export const metrics = [
  { key: "inserts", label: "inserts, 64 at a time, per second", better: "more" },
  { key: "transactions", label: "transactions of 5 inserts in one call, 64 at a time, per second", better: "more" },
  { key: "bodies", label: "the same as a body of `transact`, per second", better: "more" },
  { key: "interactive", label: "the same with a call for each statement, per second", better: "more" },
  { key: "loopP99", label: "event-loop delay of inserts, p99, ms", better: "less" }
]

export const measure = (contender, { millis }) =>
  withDatabase(contender, async ({ body, insert, interactive, transaction }) => {
    const rate = async (operation) => {
      if (operation === undefined) return undefined
      const { perSecond } = await throughput({ millis: millis(1000), concurrency: 64, operation, check: () => {} })
      return perSecond
    }
    const watched = await watchEventLoop()
    const inserts = await rate(insert)
    const { p99 } = await watched.stop()
    return {
      inserts,
      transactions: await rate(transaction),
      bodies: await rate(body),
      interactive: await rate(interactive),
      loopP99: p99
    }
  })

export const budgets = (median) => [
  {
    what: "transactions by batch, times better-sqlite3 in place",
    value: median(self, "transactions") / median("better-sqlite3", "transactions"),
    atLeast: 0.7
  },
  { what: "event-loop delay of inserts, p99, ms", value: median(self, "loopP99"), below: 5 }
]
