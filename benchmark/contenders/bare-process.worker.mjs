/** The code of bare processes. The first message says that the process has started. */
import * as module from "./bodies.mjs"

const bodies = { ...module }

process.on("message", ([id, task, args]) => process.send([id, bodies[task](...args)]))
process.send("started")
