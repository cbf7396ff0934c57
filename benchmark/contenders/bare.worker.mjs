/** What bare Workers run. The first message says that the thread has started. */
import { parentPort } from "node:worker_threads"
import * as module from "./bodies.mjs"

const bodies = { ...module }

/** Chunks of 1024 rows, as they come. */
const sendRows = (count, port) => {
  let chunk = []
  for (const row of bodies.rows(count)) {
    chunk.push(row)
    if (chunk.length === 1024) {
      port.postMessage(chunk)
      chunk = []
    }
  }
  port.postMessage(chunk)
  port.close()
}

parentPort.on("message", ([id, task, args]) => {
  if (task === "rows") return sendRows(...args)
  const value = bodies[task](...args)
  parentPort.postMessage([id, value], task === "flip" ? [value.buffer] : undefined)
})
parentPort.postMessage("started")
