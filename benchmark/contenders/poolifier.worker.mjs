/** The module that poolifier's threads load. */
import { ThreadWorker } from "poolifier"
import * as bodies from "./bodies.mjs"

export default new ThreadWorker(
  Object.fromEntries(Object.entries(bodies).map(([name, body]) => [name, (args) => body(...args)]))
)
