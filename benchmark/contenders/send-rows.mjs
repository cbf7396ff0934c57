/** Sends rows in chunks of 1024 to a port, for contenders without back-pressure. */
import { rows } from "./bodies.mjs"

export const sendRows = (count, port) => {
  let chunk = []
  for (const row of rows(count)) {
    chunk.push(row)
    if (chunk.length === 1024) {
      port.postMessage(chunk)
      chunk = []
    }
  }
  port.postMessage(chunk)
  // Not by closing the port: that needs an event-loop iteration, and piscina's thread waits without one.
  port.postMessage(undefined)
}
