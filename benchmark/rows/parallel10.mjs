/** Like row `parallel100`, with 30 000 items of about 10 microseconds each. */
import { budgetsOf, mapItems } from "./parallel100.mjs"

export { contenders, limitMillis, metrics } from "./parallel100.mjs"

export const title = "30 000 items of 10 µs"

export const measure = (contender, { count }) => mapItems(contender, count(30_000), 10)

export const budgets = budgetsOf("items of 10 µs")
