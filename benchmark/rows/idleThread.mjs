/**
 * Growth of the process's resident memory per thread, with 16 threads that have each run
 * one task and are idle.
 */
import { setTimeout as sleep } from "node:timers/promises"
import { block, collectGarbage } from "../measure.mjs"
import { peers, self } from "../names.mjs"

export const title = "Memory of an idle thread"

export const contenders = [self, ...peers, "bare"]

export const metrics = [{ key: "megabytes", label: "MB per thread", better: "less" }]

const threads = 16

export const measure = async ({ start }) => {
  collectGarbage()
  const before = process.memoryUsage.rss()
  const pool = await start({ threads })
  const { open } = await block(pool, threads)
  await open()
  await sleep(500)
  collectGarbage()
  return { megabytes: (process.memoryUsage.rss() - before) / threads / 2 ** 20 }
}

export const budgets = (median) => [
  {
    what: "memory of an idle thread, times a bare Worker",
    value: median(self, "megabytes") / median("bare", "megabytes"),
    atMost: 1.15
  }
]
