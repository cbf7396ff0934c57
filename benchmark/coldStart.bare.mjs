import { parentPort } from "node:worker_threads"

parentPort.postMessage(1)
parentPort.on("message", (message) => parentPort.postMessage(message))
