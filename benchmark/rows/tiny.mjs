/**
 * One operation: `pool.run("add", i, 1)` inside `Effect.forEach(…, { concurrency: 1000 })`,
 * from the start of its fiber to its end. Promise APIs are wrapped in `Effect.promise`. CPU
 * time is that of the whole process with all its threads, per operation.
 */
import { most } from "../best.mjs"
import { additions, throughput } from "../measure.mjs"
import { peers, pipelined, self } from "../names.mjs"

export const title = "Tiny tasks: a + b, 1000 at a time, through Effect"

export const contenders = [self, ...peers, ...pipelined, "bare", "effect"]

export const metrics = [
  { key: "perSecond", label: "tasks per second", better: "more" },
  { key: "cpuMicros", label: "CPU time per task, µs", better: "less" }
]

export const measure = async ({ start }, { millis }) => {
  const pool = await start({ threads: 2 })
  return throughput({ millis: millis(600), warmUpMillis: millis(1500), concurrency: 1000, ...additions(pool) })
}

export const budgets = (median) => {
  const times = (name) => median(self, "perSecond") / median(name, "perSecond")
  return [
    { what: "tiny tasks, times piscina", value: times("piscina"), atLeast: 15 },
    {
      what: "tiny tasks, times the best peer",
      value: median(self, "perSecond") / most(median, [...peers, ...pipelined], "perSecond"),
      atLeast: 5
    },
    { what: "tiny tasks, share of Effect's ceiling", value: times("effect"), atLeast: 0.6 },
    { what: "… times Effect RPC", value: times("effect-rpc") },
    { what: "… times piscina, 64 tasks per thread", value: times("piscina-pipelined") },
    { what: "… times Effect RPC, 500 calls per thread", value: times("effect-rpc-pipelined") }
  ]
}
