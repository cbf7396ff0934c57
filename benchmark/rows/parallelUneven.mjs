/** Like row `parallel100`, with 10 000 items of about 10 microseconds. One in a hundred takes a hundred times as long. */
import { waves } from "../contenders/bodies.mjs"
import { close, equal, range } from "../measure.mjs"
import { budgetsOf, perMicro, timeItems } from "./parallel100.mjs"

export { contenders, limitMillis, metrics } from "./parallel100.mjs"

export const title = "10 000 items of 10 µs, 1 % of them a hundred times as long"

export const measure = async ({ start }, { count }) => {
  const pool = await start({ threads: 2 })
  const [short, long] = [10 * perMicro, 1000 * perMicro]
  const [shortResult, longResult] = [waves(short), waves(long)]
  const isLong = (i) => i % 100 === 50
  const items = range(count(10_000)).map((i) => isLong(i) ? long : short)
  const values = await timeItems(pool, "waves", items, (results, length) => {
    equal(results.length, length, "the number of results")
    for (let i = 0; i < length; i++) equal(results[i], isLong(i) ? longResult : shortResult, `result ${i}`)
  })
  await close(pool)
  return values
}

export const budgets = budgetsOf("uneven items")
