/**
 * A pool of one thread, which runs `for (;;);`. "Released" is the time from the interruption of
 * the waiting fiber until that fiber has ended, minus the time that the task has to stop by
 * itself. "Thread back" is the time from then until a task that is submitted at that moment has
 * its result. The bare contender creates a Worker and awaits its first message. The median of
 * five, or of fewer if they take longer than a second and a half.
 */
import { Effect, Fiber } from "effect"
import { setTimeout as sleep } from "node:timers/promises"
import { equal, quantile } from "../measure.mjs"
import { queueing, self } from "../names.mjs"

export const title = "Abort of a task that never ends"

export const contenders = [self, ...queueing, "bare"]

export const limitMillis = 7000

export const metrics = [
  { key: "released", label: "caller released, ms beyond the grace period", better: "less" },
  { key: "back", label: "thread back, ms", better: "less" }
]

const abort = async (pool, graceMillis) => {
  const fiber = Effect.runFork(pool.abortable("forever"))
  await sleep(50)
  const begin = performance.now()
  await Effect.runPromise(Fiber.interrupt(fiber))
  const end = performance.now()
  equal(await Effect.runPromise(pool.run("add", 20, 22)), 42, "the result")
  return { released: end - begin - graceMillis, back: performance.now() - end }
}

const startBare = async (startWorker) => {
  const begin = performance.now()
  const worker = await startWorker()
  const back = performance.now() - begin
  await worker.terminate()
  return { back }
}

export const measure = async ({ graceMillis = 0, start, startWorker }) => {
  let once = () => startBare(startWorker)
  if (startWorker === undefined) {
    const pool = await start({ threads: 1 })
    equal(await Effect.runPromise(pool.run("add", 20, 22)), 42, "the result")
    once = () => abort(pool, graceMillis)
  }
  await once()
  const samples = []
  const begin = performance.now()
  while (samples.length < 5 && performance.now() - begin < 1500) samples.push(await once())
  const values = { back: quantile(samples.map(({ back }) => back), 0.5) }
  if (startWorker === undefined) values.released = quantile(samples.map(({ released }) => released), 0.5)
  return values
}

export const budgets = (median) => [
  {
    what: "abort of an endless task: released after the grace period, ms",
    value: median(self, "released"),
    atMost: 20
  },
  {
    what: "abort of an endless task: thread back, times a bare start",
    value: median(self, "back") / median("bare", "back"),
    atMost: 1.25
  }
]
