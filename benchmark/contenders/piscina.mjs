/**
 * piscina: `run` with the name of the task.
 *
 * Settings: all threads from the start, never retired (its documentation warns about the
 * default, which retires a thread at once); no run-time histogram; atomics on
 * (default); one task per thread at a time (default: more "generally only makes sense" for
 * asynchronous tasks; piscina-pipelined.mjs shows them).
 */
import { Effect, Queue, Stream } from "effect"
import { MessageChannel } from "node:worker_threads"
import { Piscina } from "piscina"
import * as bodies from "./bodies.mjs"

const named = Object.fromEntries(Object.keys(bodies).map((name) => [name, { name }]))

export const start = async ({ threads, tasksPerThread = 1 }) => {
  const pool = new Piscina({
    filename: new URL("./piscina.worker.mjs", import.meta.url).href,
    minThreads: threads,
    maxThreads: threads,
    idleTimeout: Infinity,
    recordTiming: false,
    concurrentTasksPerWorker: tasksPerThread
  })
  const rows = (count) =>
    Stream.callback((queue) =>
      Effect.promise(() => {
        const { port1, port2 } = new MessageChannel()
        const { promise, resolve } = Promise.withResolvers()
        port1.on("message", (chunk) => {
          if (chunk === undefined) resolve(port1.close())
          else Queue.offerAllUnsafe(queue, chunk)
        })
        return pool.run({ count, port: port2 }, { name: "rows", transferList: [port2] }).then(() => promise)
      }).pipe(Effect.andThen(Queue.end(queue))), { bufferSize: Infinity })
  return {
    rows,
    run: (task, ...args) => Effect.promise(() => pool.run(args, named[task])),
    abortable: (task, ...args) => Effect.promise((signal) => pool.run(args, { name: task, signal })),
    move: (bytes) => Effect.promise(() => pool.run([bytes], { name: "flip", transferList: [bytes.buffer] })),
    close: () => pool.destroy()
  }
}
