/**
 * The native module below Sentry's `eventLoopBlockIntegration`, used as that does: the program polls every half of the
 * threshold, and a thread looks for polls that stay away, and takes the stacks of all threads once for each stall.
 */
import { registerThread, threadPoll } from "@sentry-internal/node-native-stacktrace"
import { Worker } from "node:worker_threads"

export const watch = async ({ thresholdMillis, onStall }) => {
  registerThread("program")
  const timer = setInterval(() => threadPoll(), thresholdMillis / 2)
  const worker = new Worker(new URL("sentry.worker.mjs", import.meta.url), { workerData: { thresholdMillis } })
  await new Promise((resolve) => worker.once("message", resolve))
  worker.on("message", onStall)
  return async () => {
    clearInterval(timer)
    await worker.terminate()
  }
}
