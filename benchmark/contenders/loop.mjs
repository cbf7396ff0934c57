/** No thread and no library: a plain loop on the event loop. */
import { Effect } from "effect"
import * as module from "./bodies.mjs"

const bodies = { ...module }

export const start = async () => ({
  map: (task, items) => Effect.sync(() => items.map((item) => bodies[task](item))),
  close: async () => {}
})
