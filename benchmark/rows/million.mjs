/**
 * Like row `queued`, with one million tasks. "Growth" is the time per task to submit and drain,
 * divided by that of 100 000 tasks in the same process, after a warm-up: 1 is linear.
 */
import { self } from "../names.mjs"
import { metrics as queuedMetrics, queue } from "./queued.mjs"

export const title = "One million queued tasks"

export const contenders = [self, "effect"]

export const limitMillis = 120_000

export const heapMegabytes = 8192

export const metrics = [...queuedMetrics, { key: "growth", label: "growth of the time per task", better: "less" }]

export const measure = async (contender, { count }) => {
  await queue(contender, count(30_000))
  const fewer = await queue(contender, count(100_000))
  const { microsPerTask, ...values } = await queue(contender, count(1_000_000))
  return { ...values, growth: microsPerTask / fewer.microsPerTask }
}

export const budgets = (median) => [
  {
    what: "a million queued tasks, bytes each beyond their fibers",
    value: median(self, "bytes") - median("effect", "bytes"),
    atMost: 400
  },
  // The share of the garbage collector grows with the heap, also for the fibers alone. Arbitrary: the noise of the ratio.
  {
    what: "a million queued tasks, growth of the time per task, times that of the fibers alone",
    value: median(self, "growth") / median("effect", "growth"),
    atMost: 1.25
  },
  {
    what: "a million queued tasks, event-loop delay p99 while they drain, ms",
    value: median(self, "delayP99"),
    atMost: 20
  }
]
