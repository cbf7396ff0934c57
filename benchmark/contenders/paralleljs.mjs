/**
 * paralleljs: `map`. It starts a process for each element, so it takes part only with few elements.
 *
 * Settings: as many at once as there are threads.
 */
import { Effect } from "effect"
import Parallel from "paralleljs"
import * as module from "./bodies.mjs"

const bodies = { ...module }

export const start = async ({ threads }) => ({
  map: (task, items) => Effect.promise(() => new Parallel(items, { maxWorkers: threads }).map(bodies[task])),
  close: async () => {}
})
