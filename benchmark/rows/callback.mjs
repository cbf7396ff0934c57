/**
 * One operation: a body asks its program for `i + 1` and waits for the answer, on a thread and in a
 * process. The bare contenders are ping-pongs that start in the thread (by `postMessage`) or in the process (by the IPC
 * channel of `fork`). The asking side takes the times.
 *
 * Then it measures how long a stop takes for a body that waits for an answer that never comes.
 */
import { Deferred, Effect, Fiber } from "effect"
import { equal, quantile } from "../measure.mjs"
import { self } from "../names.mjs"

export const title = "A call from a body to its program"

export const contenders = [self, "bare"]

export const metrics = [
  { key: "threadMedian", label: "from a thread, median, µs", better: "less" },
  { key: "threadP99", label: "from a thread, p99, µs", better: "less" },
  { key: "processMedian", label: "from a process, median, µs", better: "less" },
  { key: "processP99", label: "from a process, p99, µs", better: "less" },
  { key: "stopMillis", label: "stop of a body that waits, worst of 20, ms", better: "less" }
]

const answer = (value) => Effect.succeed(value + 1)

const stopMillis = async (pool, count) => {
  let worst = 0
  for (let i = 0; i < count; i++) {
    await Effect.runPromise(Effect.gen(function*() {
      const asked = yield* Deferred.make()
      const waits = () => Effect.andThen(Deferred.succeed(asked, undefined), Effect.never)
      const fiber = yield* Effect.forkChild(pool.calls(1, waits))
      yield* Deferred.await(asked)
      const start = performance.now()
      yield* Fiber.interrupt(fiber)
      worst = Math.max(worst, performance.now() - start)
    }))
  }
  return worst
}

export const measure = async ({ ask, start }, { count }) => {
  const [warmUp, total] = [count(2000), count(10_000)]
  const values = {}
  for (const isolation of ["thread", "process"]) {
    const pool = ask === undefined ? await start({ threads: 1, isolation }) : undefined
    const calls = pool === undefined
      ? await ask(isolation)
      : (count) => Effect.runPromise(pool.calls(count, answer))
    await calls(warmUp)
    const { sum, times } = await calls(total)
    equal(sum, (total * (total + 1)) / 2, "the sum of the answers")
    values[`${isolation}Median`] = quantile(times, 0.5) * 1000
    values[`${isolation}P99`] = quantile(times, 0.99) * 1000
    if (pool !== undefined && isolation === "thread") values.stopMillis = await stopMillis(pool, count(20))
  }
  return values
}

export const budgets = (median) => [
  {
    what: "a call from a thread, median, times a bare postMessage ping-pong",
    value: median(self, "threadMedian") / median("bare", "threadMedian"),
    atMost: 1
  },
  {
    what: "a call from a process, median, times an IPC ping-pong",
    value: median(self, "processMedian") / median("bare", "processMedian"),
    atMost: 1
  },
  { what: "stop of a body that waits, ms", value: median(self, "stopMillis"), atMost: 5 }
]
