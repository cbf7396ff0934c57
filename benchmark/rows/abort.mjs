/**
 * Both threads are blocked, and 20 000 fibers wait for tasks behind them. Measures the time from
 * the interruption of all these fibers until all have ended, and the longest block of the event
 * loop meanwhile. Then the threads are freed, and aborted tasks that still run are counted. In
 * "Effect without threads", the same fibers wait for a callback.
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
  // A contender whose tasks still run has not aborted them.
  const best = least(median, queueing.filter((name) => median(name, "ran") === 0), "millis")
  return [
    {
      what: "aborting 20 000 queued tasks, time, times the best peer",
      value: median(self, "millis") / best,
      atMost: 0.2
    },
    // Browsers call a task of 50 ms long. Interrupting only the fibers is one block, too.
    {
      what: "aborting 20 000 queued tasks, longest block beyond that of the fibers alone, ms",
      value: median(self, "longestBlock") - median("effect", "longestBlock"),
      atMost: 50
    },
    { what: "… the whole block, ms", value: median(self, "longestBlock") }
  ]
}
