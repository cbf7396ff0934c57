/**
 * What a pool thread runs. Exports nothing and imports nothing but the runner: it is
 * the start-up cost of every thread.
 */
import * as ThreadRunner from "effect-blocking/ThreadRunner"
import { getHeapStatistics } from "node:v8"
import { parentPort, workerData } from "node:worker_threads"
import { sharedClock } from "./clock.ts"

const port = parentPort!

const runner = ThreadRunner.start({
  start: workerData,
  post: (message, transfer) => port.postMessage(message, transfer as Array<ArrayBuffer> | undefined),
  load: (url) => import(url),
  now: sharedClock(),
  heapUsed: () => getHeapStatistics().used_heap_size,
  // The event loop ends with the port, unless a body left something open: then the
  // scheduler terminates the thread.
  exit: () => port.close()
})

port.on("message", runner.onMessage)
// Tasks that cannot be read here: the scheduler takes them back from a thread that ends.
port.on("messageerror", () => process.exit(1))
process.on("uncaughtException", runner.onUncaught)
process.on("unhandledRejection", runner.onUncaught)
