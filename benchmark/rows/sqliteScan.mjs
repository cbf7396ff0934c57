/** A cheap read every 5 ms, for at most ten seconds, beside a statement that computes for about a second, repeatedly. */
import { Effect, Fiber } from "effect"
import { setTimeout as sleep } from "node:timers/promises"
import * as files from "../contenders/sqlite/files.mjs"
import { quantile, watchEventLoop } from "../measure.mjs"
import { self } from "../names.mjs"
import { contenders, withDatabase } from "../sqlite.mjs"

export const title = "SQLite: a cheap read beside a long one"

export const folder = "sqlite"

export { contenders }

export const metrics = [
  { key: "p99", label: "time of the cheap read, p99, ms", better: "less" },
  { key: "loopP99", label: "event-loop delay, p99, ms", better: "less" },
  { key: "loopMax", label: "event-loop delay, longest, ms", better: "less" }
]

export const measure = (contender, { count }) =>
  withDatabase(contender, async ({ all, read }) => {
    await Effect.runPromise(Effect.forEach([1, 2, 3, 4], (id) => read(id)))
    const watched = await watchEventLoop()
    let running = true
    const scans = Effect.runFork(
      Effect.whileLoop({
        while: () => running,
        body: () => Effect.andThen(Effect.sleep(1), all(files.scan, [])),
        step: () => {}
      })
    )
    const times = []
    const end = performance.now() + 10_000
    for (let i = 0; i < count(300) && performance.now() < end; i++) {
      // From the time when it was due: a blocked event loop also delays the request.
      const due = performance.now() + 5
      await sleep(5)
      await Effect.runPromise(read(1 + i))
      times.push(performance.now() - due)
    }
    running = false
    await Effect.runPromise(Fiber.await(scans))
    const { max, p99 } = await watched.stop()
    return { p99: quantile(times, 0.99), loopP99: p99, loopMax: max }
  })

export const budgets = (median) => [
  { what: "a cheap read beside a scan, p99, ms", value: median(self, "p99"), below: 5 },
  { what: "event-loop delay beside a scan, p99, ms", value: median(self, "loopP99"), below: 5 }
]
