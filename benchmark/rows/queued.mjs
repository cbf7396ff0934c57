/**
 * Each fiber awaits `pool.run("add", i, 1)` while both threads are blocked, so all tasks wait in a
 * queue. Measures memory per task, including its fiber (heap and external memory after a garbage
 * collection; resident memory as the system sees it). Then the threads are freed: it measures how
 * fast the queue drains, and the event-loop delay meanwhile. In "Effect without threads", the same
 * fibers wait for a callback, without a queue.
 */
import { Effect } from "effect"
import { block, collectGarbage, equal, range, settled, watchEventLoop } from "../measure.mjs"
import { queueing, self } from "../names.mjs"

export const title = "50 000 queued tasks"

export const contenders = [self, ...queueing, "effect"]

export const metrics = [
  { key: "bytes", label: "bytes per task, with its fiber", better: "less" },
  { key: "residentBytes", label: "resident bytes per task", better: "less" },
  { key: "drained", label: "drained per second", better: "more" },
  { key: "delayP99", label: "event-loop delay while draining, p99, ms", better: "less" },
  { key: "delayMax", label: "event-loop delay while draining, longest, ms", better: "less" }
]

const memory = () => {
  collectGarbage()
  const { external, heapUsed, rss } = process.memoryUsage()
  return { used: heapUsed + external, rss }
}

export const queue = async ({ start }, count) => {
  const numbers = range(count)
  const pool = await start({ threads: 2 })
  const { open } = await block(pool, 2)
  const before = memory()

  let sum = 0
  const lastSubmitted = Promise.withResolvers()
  const beginSubmit = performance.now()
  const drained = Effect.runPromise(Effect.forEach(numbers, (i) => {
    if (i === count - 1) lastSubmitted.resolve()
    return Effect.map(pool.run("add", i, 1), (value) => {
      sum += value
    })
  }, { concurrency: "unbounded", discard: true }))
  await lastSubmitted.promise
  await settled()
  const submitMillis = performance.now() - beginSubmit
  const after = memory()

  const eventLoop = await watchEventLoop()
  const beginDrain = performance.now()
  await Promise.all([open(), drained])
  const drainMillis = performance.now() - beginDrain
  const { max, p99 } = await eventLoop.stop()
  equal(sum, (count * (count + 1)) / 2, "the sum of the results")

  return {
    bytes: (after.used - before.used) / count,
    residentBytes: (after.rss - before.rss) / count,
    drained: (count / drainMillis) * 1000,
    delayP99: p99,
    delayMax: max,
    microsPerTask: ((submitMillis + drainMillis) / count) * 1000
  }
}

export const measure = (contender, { count }) => queue(contender, count(50_000))
