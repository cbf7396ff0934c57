/**
 * One operation: a durable task that computes for 10 ms on one of two runners with one thread each,
 * from its submission to its result. BullMQ's queue is Redis without persistence, which does not
 * outlive its server; this library's is SQLite.
 */
import { withFarm, withRedis } from "../cluster.mjs"
import { throughput, watchEventLoop } from "../measure.mjs"
import { self } from "../names.mjs"

export const title = "Farm: durable tasks"

export const folder = "cluster"
export const limitMillis = 90_000

export const contenders = [self, ...withRedis]

export const metrics = [
  { key: "perSecond", label: "tasks of 10 ms, 64 at a time, per second", better: "more" },
  { key: "nothing", label: "tasks that do nothing, 64 at a time, per second", better: "more" },
  { key: "loopP99", label: "event-loop delay of the client, p99, ms", better: "less" }
]

export const measure = (contender, { millis }) =>
  withFarm(contender, {}, async ({ submit }) => {
    const rate = async (task) => {
      const options = { millis: millis(3000), concurrency: 64, operation: () => submit(task), check: () => {} }
      const { perSecond } = await throughput(options)
      return perSecond
    }
    const watched = await watchEventLoop()
    const perSecond = await rate(10)
    const { p99 } = await watched.stop()
    return { perSecond, nothing: await rate(0), loopP99: p99 }
  })

export const budgets = (median) => [
  {
    what: "durable tasks of 10 ms, × BullMQ",
    value: median(self, "perSecond") / median("bullmq", "perSecond"),
    atLeast: 1
  }
]
