/**
 * One operation: create a pool of one thread and await the result of its first task. Closing
 * the pool is not measured. The bare contender creates a Worker and awaits its first message,
 * which it sends when its module has loaded. The median of five, after one to warm up.
 */
import { Effect } from "effect"
import { close, equal, quantile, range } from "../measure.mjs"
import { peers, self } from "../names.mjs"

export const title = "Cold start: first result of a new pool"

export const contenders = [self, ...peers, "bare"]

export const metrics = [{ key: "millis", label: "ms", better: "less" }]

const first = async ({ start, startWorker }) => {
  const begin = performance.now()
  if (startWorker !== undefined) {
    const worker = await startWorker()
    const time = performance.now() - begin
    await worker.terminate()
    return time
  }
  const pool = await start({ threads: 1 })
  const value = await Effect.runPromise(pool.run("add", 20, 22))
  const time = performance.now() - begin
  equal(value, 42, "the result")
  await close(pool)
  return time
}

export const measure = async (contender) => {
  await first(contender)
  const times = []
  for (const _ of range(5)) times.push(await first(contender))
  return { millis: quantile(times, 0.5) }
}

export const budgets = (median) => [
  {
    what: "first result of a cold pool, times a bare Worker's first message",
    value: median(self, "millis") / median("bare", "millis"),
    atMost: 1.25
  }
]
