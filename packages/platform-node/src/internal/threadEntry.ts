/**
 * The entry of a pool thread. Exports nothing and imports little: its imports are part of
 * the start of every thread.
 */
import * as ThreadRunner from "effect-blocking/ThreadRunner"
import { getHeapStatistics } from "node:v8"
import { parentPort, receiveMessageOnPort, workerData } from "node:worker_threads"
import { sharedClock } from "./clock.ts"
import { load } from "./load.ts"
import { payloads } from "./payloads.ts"
import { brokenBy, dropCondition, type PoolThreadData } from "./threadData.ts"

const { port, start } = workerData[ThreadRunner.poolThreadMark] as PoolThreadData
// The port is ours alone, and code that passes `workerData` on must not pass the mark on.
delete workerData[ThreadRunner.poolThreadMark]
dropCondition()

// Taken before a body can replace them.
const exit = process.exit.bind(process)
const post = port.postMessage.bind(port)

const runner = ThreadRunner.start({
  start,
  post: (message, transfer) => post(message, transfer as Array<ArrayBuffer> | undefined),
  receive: () => receiveMessageOnPort(port)?.message as unknown,
  load,
  now: sharedClock(),
  heapUsed: () => getHeapStatistics().used_heap_size,
  payloads,
  // The event loop ends when the port is closed. If a body left something open, the
  // scheduler terminates the thread.
  exit: () => {
    port.close()
    parentPort!.unref()
  },
  abort: (error) => {
    try {
      post(brokenBy(error))
    } finally {
      exit(1)
    }
  }
})

port.on("message", runner.onMessage)
// Tasks that cannot be read here. The thread exits, and the scheduler takes its tasks back.
port.on("messageerror", () => exit(1))
process.on("uncaughtException", (error, origin) => {
  // The listener below reports rejections, in any mode of Node.
  if (origin === "uncaughtException") runner.onUncaught(error)
})
process.on("unhandledRejection", runner.onUncaught)
