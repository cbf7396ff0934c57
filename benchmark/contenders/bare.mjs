/**
 * No library: bare Workers, one message each way per task, threads in turn. The difference
 * to this is the cost, or the gain, of a pool.
 */
import { Effect } from "effect"
import { fork } from "node:child_process"
import { once } from "node:events"
import { MessageChannel, Worker } from "node:worker_threads"

const entry = new URL("./bare.worker.mjs", import.meta.url)

/** Starts a Worker, and waits for its first message. */
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
    sumOfRows: (count) =>
      Effect.callback((resume) => {
        const { port1, port2 } = new MessageChannel()
        let sum = 0
        port1.on("message", (chunk) => {
          if (chunk === undefined) {
            port1.close()
            return resume(Effect.succeed(sum))
          }
          for (const { id } of chunk) sum += id
        })
        workers[0].postMessage([-1, "rows", [count, port2]], [port2])
      }),
    run: (task, ...args) => post(task, args),
    move: (bytes) => Effect.suspend(() => post("flip", [bytes], [bytes.buffer])),
    close: () => Promise.all(workers.map((worker) => worker.terminate()))
  }
}

/** Returns the milliseconds of each of `count` round trips, one after another, without Effect. */
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

/** Lets a thread or a process ask `count` times for `i + 1`, one after another, and return the times. */
export const ask = async (isolation) => {
  const url = new URL("./bare.ask.mjs", import.meta.url)
  const other = isolation === "thread" ? new Worker(url) : fork(url, { serialization: "advanced" })
  const send = (message) => isolation === "thread" ? other.postMessage(message) : other.send(message)
  await once(other, "message")
  return (count) => {
    const { promise, resolve } = Promise.withResolvers()
    const onMessage = (message) => typeof message === "number" ? send(message + 1) : resolve(message)
    other.on("message", onMessage)
    send({ count })
    return promise.finally(() => other.off("message", onMessage))
  }
}
