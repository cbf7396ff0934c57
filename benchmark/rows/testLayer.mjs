/**
 * The cost of a test: a layer of its own, one task, and the close of the layer. It runs a thousand
 * times with simulated threads, and less often with real ones. On Linux, the threads of the process
 * are counted before, and while the simulated ones are in use.
 */
import { NodeBlocking } from "@effect-blocking/platform-node"
import { BlockingTest } from "@effect-blocking/vitest"
import { Effect } from "effect"
import { Blocking } from "effect-blocking"
import { existsSync, readdirSync } from "node:fs"
import { add } from "../contenders/effect-blocking.tasks.mjs"
import { equal } from "../measure.mjs"
import { self } from "../names.mjs"

export const title = "A thousand tests with a pool of their own"

export const contenders = [self]

export const metrics = [
  { key: "simulatedMicros", label: "a test with BlockingTest, µs", better: "less" },
  { key: "realMicros", label: "a test with real threads, µs", better: "less" },
  { key: "threads", label: "threads added by BlockingTest", better: "less" }
]

const test = (layer) => Effect.runPromise(Effect.provide(Blocking.run(add, 1, 2), layer))

const micros = async (count, makeLayer) => {
  const start = performance.now()
  for (let i = 0; i < count; i++) equal(await test(makeLayer()), 3, "the result")
  return ((performance.now() - start) / count) * 1000
}

const threads = () => existsSync("/proc/self/task") ? readdirSync("/proc/self/task").length : 0

export const measure = async (_contender, { count }) => {
  await test(BlockingTest.layer())
  const before = threads()
  const simulatedMicros = await micros(count(1000), () => BlockingTest.layer())
  const added = threads() - before
  return { simulatedMicros, threads: added, realMicros: await micros(count(20), () => NodeBlocking.layer()) }
}

export const budgets = (median) => [
  // "Well under a millisecond".
  { what: "a test with BlockingTest, µs", value: median(self, "simulatedMicros"), atMost: 500 },
  { what: "… times one with real threads", value: median(self, "simulatedMicros") / median(self, "realMicros") },
  { what: "threads added by BlockingTest", value: median(self, "threads"), atMost: 0 }
]
