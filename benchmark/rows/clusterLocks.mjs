/**
 * One operation: a durable task that computes three times as long as its lock holds, on one of two
 * runners. The other runner is idle, and takes every task that is not locked. Counts the runs.
 */
import { Effect } from "effect"
import { join } from "node:path"
import { setTimeout as sleep } from "node:timers/promises"
import { lines, withFarm, withRedis } from "../cluster.mjs"
import { self } from "../names.mjs"

export const title = "Farm: a task that computes longer than its lock holds"

export const folder = "cluster"
export const limitMillis = 120_000

export const contenders = [self, "effect-queue", ...withRedis]

export const metrics = [{ key: "runs", label: "times that its body was started", better: "less" }]

const lockMillis = 2000

export const measure = (contender, _, name) =>
  withFarm(contender, { lockMillis }, async ({ another, noted }) => {
    // Only for this row, and outside the folder that the farm deletes.
    const file = join(process.env.TMPDIR ?? "/tmp", `effect-blocking-locks-${name}-${process.pid}`)
    const running = Effect.runPromise(noted(file, lockMillis * 3))
    while (lines(file) === 0) await sleep(10)
    await another()
    await running
    // A second run would be logged by now.
    const runs = lines(file)
    await (await import("node:fs/promises")).rm(file, { force: true })
    return { runs }
  })

export const budgets = (median) => [
  { what: "executions of a task that computes longer than its lock holds", value: median(self, "runs"), atMost: 1 }
]
