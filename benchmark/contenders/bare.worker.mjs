/** The code of bare Workers. The first message says that the thread has started. */
import { parentPort } from "node:worker_threads"
import * as module from "./bodies.mjs"
import { sendRows } from "./send-rows.mjs"

const bodies = { ...module }

parentPort.on("message", ([id, task, args]) => {
  if (task === "rows") return sendRows(...args)
  const value = bodies[task](...args)
  parentPort.postMessage([id, value], task === "flip" ? [value.buffer] : undefined)
})
parentPort.postMessage("started")
