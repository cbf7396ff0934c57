/** Asks the parent of its thread or process as often as the parent says. */
import { parentPort } from "node:worker_threads"

const send = parentPort === null ? (message) => process.send(message) : (message) => parentPort.postMessage(message)
const source = parentPort ?? process

let sum = 0
let i = 0
let times
let sent

const askNext = () => {
  sent = performance.now()
  send(i)
}

source.on("message", (message) => {
  if (typeof message === "object") {
    times = new Float64Array(message.count)
    sum = 0
    i = 0
    return askNext()
  }
  times[i++] = performance.now() - sent
  sum += message
  if (i < times.length) askNext()
  else send({ times, sum })
})
send("started")
