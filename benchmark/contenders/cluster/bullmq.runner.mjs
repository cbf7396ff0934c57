import { Worker } from "bullmq"
import * as bodies from "./bodies.mjs"

const { lockMillis, port } = JSON.parse(process.argv[2])

const worker = new Worker(
  "benchmark",
  async ({ data: { file, millis } }) => file === undefined ? bodies.compute(millis) : bodies.noted(file, millis),
  {
    connection: { host: "127.0.0.1", port },
    concurrency: 1,
    lockDuration: lockMillis,
    stalledInterval: lockMillis / 2,
    maxStalledCount: 10
  }
)
worker.on("error", () => {})
await worker.waitUntilReady()
process.send("ready")
