/**
 * Both threads are blocked, 20 000 fibers wait for tasks behind them. Measured: from the
 * interruption of all these fibers until all have ended, and the longest time meanwhile in
 * which the event loop did nothing else. Then the threads are freed: tasks that run
 * nevertheless are counted. "Effect without threads" has the same fibers wait for a callback.
 */
import { Effect, Fiber } from "effect"
import { setTimeout as sleep } from "node:timers/promises"
import { least } from "../best.mjs"
import { block, range, settled, watchEventLoop } from "../measure.mjs"
import { queueing, self } from "../names.mjs"

export const title = "Aborting 20 000 queued tasks"

export const contenders = [self, ...queueing, "effect"]

export const metrics = [
  { key: "millis", label: "ms until all have ended", better: "less" },
  { key: "longestBlock", label: "longest block of the event loop, ms", better: "less" },
  { key: "ran", label: "aborted tasks that ran", better: "less" }
]

export const measure = async ({ start }, { count }) => {
  const pool = await start({ threads: 2 })
  const gate = await block(pool, 2)
  const state = new Int32Array(new SharedArrayBuffer(4))
  const fibers = range(count(20_000)).map(() => Effect.runFork(pool.abortable("tick", { state })))
  await settled()

  const eventLoop = await watchEventLoop()
  const begin = performance.now()
  await Effect.runPromise(Fiber.interruptAll(fibers))
  const millis = performance.now() - begin
  const { max } = await eventLoop.stop()

  await gate.open()
  let ran
  do {
    ran = Atomics.load(state, 0)
    await sleep(200)
  } while (Atomics.load(state, 0) > ran)
  return { millis, longestBlock: max, ran }
}

export const budgets = (median) => {
  // One whose tasks run nevertheless has not aborted them.
  const best = least(median, queueing.filter((name) => median(name, "ran") === 0), "millis")
  return [
    {
      what: "aborting 20 000 queued tasks, time, times the best peer",
      value: median(self, "millis") / best,
      atMost: 0.2
    },
    // 50 ms is what browsers call a long task. To interrupt the fibers alone is one block, too.
    {
      what: "aborting 20 000 queued tasks, longest block beyond that of the fibers alone, ms",
      value: median(self, "longestBlock") - median("effect", "longestBlock"),
      atMost: 50
    },
    { what: "… the whole block, ms", value: median(self, "longestBlock") }
  ]
}
