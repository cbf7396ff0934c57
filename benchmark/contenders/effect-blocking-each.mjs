/** This library without `Parallel`: a run for each item, with enough at once that the threads never idle. */
import { Effect } from "effect"
import { start as startPool } from "./effect-blocking.mjs"

export const start = async (options) => {
  const { close, run } = await startPool(options)
  return { map: (task, items) => Effect.forEach(items, (item) => run(task, item), { concurrency: 1000 }), close }
}
