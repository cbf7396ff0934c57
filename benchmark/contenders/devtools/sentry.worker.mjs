import { captureStackTrace, getThreadsLastSeen } from "@sentry-internal/node-native-stacktrace"
import { parentPort, workerData } from "node:worker_threads"

const { thresholdMillis } = workerData
let told = false
setInterval(() => {
  const silent = getThreadsLastSeen().program
  if (silent === undefined || silent < thresholdMillis) {
    told = false
  } else if (!told) {
    told = true
    parentPort.postMessage(captureStackTrace(true).program.frames.length > 0)
  }
}, thresholdMillis / 2)
parentPort.postMessage(true)
