/** No thread and no library: the loop that everybody would write, on the event-loop thread. */
import { Effect } from "effect"
import * as module from "./bodies.mjs"

const bodies = { ...module }

export const start = async () => ({
  map: (task, items) => Effect.sync(() => items.map((item) => bodies[task](item))),
  close: async () => {}
})
