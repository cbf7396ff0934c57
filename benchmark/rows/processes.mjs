/**
 * Pools of two processes. One operation: a tiny task as in row `tiny`, 1000 at a time; and
 * `pool.run("echo", value)` with the values and concurrency of row `payload`. JSON does not support bytes.
 */
import { most } from "../best.mjs"
import { additions, close, throughput } from "../measure.mjs"
import { processPeers, self } from "../names.mjs"
import { echoes, payloads } from "./payload.mjs"

export const title = "Processes: tiny tasks, and payloads there and back"

export const contenders = [self, ...processPeers, "bare-process"]

export const metrics = [
  { key: "tiny", label: "tasks per second, tiny", better: "more" },
  { key: "object", label: "tasks per second, 100 B object", better: "more" },
  { key: "string", label: "tasks per second, 10 kB string", better: "more" },
  { key: "megabyte", label: "tasks per second, 1 MB copied", better: "more" }
]

export const measure = async ({ isJson = false, start }, { millis }) => {
  const pool = await start({ threads: 2, isolation: "process" })
  const values = {}
  const rate = async (key, concurrency, operations) => {
    const { perSecond } = await throughput({
      millis: millis(300),
      warmUpMillis: millis(700),
      concurrency,
      ...operations
    })
    values[key] = perSecond
  }
  await rate("tiny", 1000, additions(pool))
  for (const [key, payload] of Object.entries(payloads)) {
    if (key !== "megabyte" || !isJson) await rate(key, payload.concurrency, echoes(pool, payload))
  }
  await close(pool)
  return values
}

const limits = [
  { key: "object", what: "processes: 100 B objects there and back" },
  { key: "megabyte", what: "processes: 1 MB copied there and back" }
]

export const budgets = (median) => [
  ...limits.map(({ key, what }) => ({
    what: `${what}, times the best peer`,
    value: median(self, key) / most(median, processPeers, key),
    atLeast: 1
  })),
  {
    what: "… tiny tasks, times the best peer",
    value: median(self, "tiny") / most(median, processPeers, "tiny")
  },
  {
    what: "… 10 kB strings, times the best peer",
    value: median(self, "string") / most(median, processPeers, "string")
  }
]
