/** Shared by the rows: running many tasks, timing them, blocking threads. */
import { Effect } from "effect"
import { monitorEventLoopDelay } from "node:perf_hooks"
import { setImmediate, setTimeout as sleep } from "node:timers/promises"
import { setFlagsFromString } from "node:v8"
import { runInNewContext } from "node:vm"

export const range = (count) => Array.from({ length: count }, (_, i) => i)

export const quantile = (values, q) => {
  const sorted = Float64Array.from(values).sort()
  return sorted[Math.min(sorted.length - 1, Math.floor(sorted.length * q))]
}

/** Runs `operation(i)` for each i below `count`, `concurrency` at a time, each in a fiber. Returns seconds. */
export const timed = async (count, concurrency, operation) => {
  const program = Effect.forEach(range(count), operation, { concurrency, discard: true })
  const start = performance.now()
  await Effect.runPromise(program)
  return (performance.now() - start) / 1000
}

/**
 * Measures tasks per second of `operation(i)`, and CPU time per task of the whole process, in one
 * pass of about `millis`, after warm-up passes of at least `warmUpMillis` in total. `check(count)`
 * throws if the results of a pass are wrong.
 */
export const throughput = async ({ millis, warmUpMillis = millis, concurrency, atLeast = 100, operation, check }) => {
  let count = Math.max(atLeast, Math.min(concurrency, 2000))
  let rate = 0
  for (let warm = 0; warm < warmUpMillis;) {
    const seconds = await timed(count, concurrency, operation)
    check(count)
    warm += seconds * 1000
    rate = count / seconds
    count = Math.max(count, Math.round((rate * millis) / 4000))
  }
  count = Math.max(concurrency, Math.round((rate * millis) / 1000))
  const before = process.cpuUsage()
  const seconds = await timed(count, concurrency, operation)
  const { system, user } = process.cpuUsage(before)
  check(count)
  return { perSecond: count / seconds, cpuMicros: (user + system) / count }
}

/** An `operation` of tiny tasks, `i + 1`, and a check of their sum. */
export const additions = (pool) => {
  let sum = 0
  return {
    operation: (i) =>
      Effect.map(pool.run("add", i, 1), (value) => {
        sum += value
      }),
    check: (count) => {
      equal(sum, (count * (count + 1)) / 2, "the sum of the results")
      sum = 0
    }
  }
}

export const equal = (actual, expected, what) => {
  if (actual !== expected) throw new Error(`${what} is ${actual}, not ${expected}`)
}

/** Blocks each thread of the pool with a task. `open` ends these tasks. */
export const block = async (pool, threads) => {
  if (pool.block !== undefined) return pool.block()
  const state = new Int32Array(new SharedArrayBuffer(8))
  const ended = Effect.runPromise(
    Effect.forEach(range(threads), () => pool.run("gate", { state }), { concurrency: threads })
  )
  while (Atomics.load(state, 0) < threads) await sleep(1)
  return {
    open: () => {
      Atomics.store(state, 1, 1)
      Atomics.notify(state, 1)
      return ended
    }
  }
}

/** Waits until the event loop is idle for a few iterations. */
export const settled = async () => {
  for (let calm = 0; calm < 5;) {
    const start = performance.now()
    await sleep(1)
    await setImmediate()
    calm = performance.now() - start < 5 ? calm + 1 : 0
  }
}

/**
 * Monitors the event loop. `stop` returns its delay in milliseconds. The monitor counts nothing
 * before its second tick, so it runs for a moment first; at the end it runs until it has seen the
 * last delay.
 */
export const watchEventLoop = async () => {
  const delay = monitorEventLoopDelay({ resolution: 1 })
  delay.enable()
  await settled()
  return {
    stop: async () => {
      await settled()
      delay.disable()
      return { p99: delay.percentile(99) / 1e6, max: delay.max / 1e6 }
    }
  }
}

/** Closes a pool, but does not wait forever. */
export const close = (pool) => Promise.race([pool.close(), sleep(2000)])

export const collectGarbage = () => {
  setFlagsFromString("--expose-gc")
  const gc = runInNewContext("gc")
  gc()
  gc()
}
