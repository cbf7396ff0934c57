/** 50 000 items of about 10 microseconds. The item at 1 % fails. Measures the time until everything has ended. */
import { Effect, Exit } from "effect"
import { close, equal, range } from "../measure.mjs"
import { self } from "../names.mjs"
import { perMicro } from "./parallel100.mjs"

export const title = "A failure at 1 % of 50 000 items of 10 µs"

export const contenders = [self, "loop"]

export const metrics = [{ key: "millis", label: "until all has ended, ms", better: "less" }]

export const measure = async ({ start }, { count }) => {
  const pool = await start({ threads: 2 })
  const items = range(count(50_000)).map(() => 10 * perMicro)
  await Effect.runPromise(pool.map("failing", items.slice(0, Math.ceil(items.length / 10))))
  items[Math.floor(items.length / 100)] = -1
  const begin = performance.now()
  const exit = await Effect.runPromiseExit(pool.map("failing", items))
  const millis = performance.now() - begin
  equal(Exit.isFailure(exit), true, "that it fails")
  await close(pool)
  return { millis }
}
