/** Like row `parallel100`, with 20 000 items of about 10 microseconds. Items and results are small objects. */
import { close, equal, range } from "../measure.mjs"
import { peers, self } from "../names.mjs"
import { budgetsOf, perMicro, timeItems } from "./parallel100.mjs"

export { limitMillis, metrics } from "./parallel100.mjs"

export const title = "20 000 small objects of 10 µs"

// The schemas of the Effect RPC contender have no such object.
export const contenders = [self, "loop", "effect-blocking-each", ...peers.filter((name) => name !== "effect-rpc")]

export const measure = async ({ start }, { count }) => {
  const pool = await start({ threads: 2 })
  const items = range(count(20_000)).map((id) => ({ id, name: `name ${id}`, rounds: 10 * perMicro }))
  const values = await timeItems(pool, "shout", items, (results, length) => {
    equal(results.length, length, "the number of results")
    for (let i = 0; i < length; i++) equal(results[i].text, `NAME ${i}`, `result ${i}`)
  })
  await close(pool)
  return values
}

export const budgets = budgetsOf("small objects of 10 µs")
