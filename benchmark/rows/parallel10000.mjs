/** Like row `parallel100`, with 100 items of about 10 milliseconds each. paralleljs starts a process for each. */
import { budgetsOf, contenders as others, mapItems } from "./parallel100.mjs"

export { limitMillis, metrics } from "./parallel100.mjs"

export const title = "100 items of 10 ms"

export const contenders = [...others, "paralleljs"]

export const measure = (contender, { count }) => mapItems(contender, count(100), 10_000)

export const budgets = budgetsOf("items of 10 ms")
