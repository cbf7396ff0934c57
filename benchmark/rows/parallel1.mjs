/** Like row `parallel100`, with 100 000 items of about a microsecond each. */
import { budgetsOf, mapItems } from "./parallel100.mjs"

export { contenders, limitMillis, metrics } from "./parallel100.mjs"

export const title = "100 000 items of 1 µs"

export const measure = (contender, { count }) => mapItems(contender, count(100_000), 1)

export const budgets = budgetsOf("items of 1 µs")
