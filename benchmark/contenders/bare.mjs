/**
 * No library: bare Workers, one message there and one back per task, threads in turn.
 * What a pool costs beyond this is its own doing; what it wins, too.
 */
import { Effect } from "effect"
import { Worker } from "node:worker_threads"

const entry = new URL("./bare.worker.mjs", import.meta.url)

/** A Worker whose first message has come. */
export const startWorker = () =>
  new Promise((resolve, reject) => {
    const worker = new Worker(entry)
    worker.once("error", reject)
    worker.once("message", () => resolve(worker))
  })

export const start = async ({ threads }) => {
  const workers = await Promise.all(Array.from({ length: threads }, startWorker))
  const waiting = new Map()
  for (const worker of workers) {
    worker.on("message", ([id, value]) => {
      const resume = waiting.get(id)
      waiting.delete(id)
      resume(Effect.succeed(value))
    })
  }
  let nextId = 0
  const post = (task, args, transfer) =>
    Effect.callback((resume) => {
      const id = nextId++
      waiting.set(id, resume)
      workers[id % threads].postMessage([id, task, args], transfer)
    })
  return {
    run: (task, ...args) => post(task, args),
    move: (bytes) => Effect.suspend(() => post("flip", [bytes], [bytes.buffer])),
    close: () => Promise.all(workers.map((worker) => worker.terminate()))
  }
}

/** Milliseconds of each of `count` round trips, one after the other, without Effect. */
export const pingPong = async (worker, count) => {
  const times = new Float64Array(count)
  const { promise, resolve } = Promise.withResolvers()
  let i = 0
  let sum = 0
  let sent = performance.now()
  const onMessage = ([, value]) => {
    const now = performance.now()
    times[i++] = now - sent
    sum += value
    if (i === count) return resolve({ times, sum })
    sent = now
    worker.postMessage([i, "add", [i, 1]])
  }
  worker.on("message", onMessage)
  worker.postMessage([0, "add", [0, 1]])
  return promise.finally(() => worker.off("message", onMessage))
}
