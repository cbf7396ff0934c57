/**
 * piscina: `run` with the name of the task.
 *
 * Settings: as many threads from the start as at most, never retired (its documentation
 * warns of the default, which retires a thread at once); no run-time histogram; atomics on
 * (default); one task per thread at a time (default: more "generally only makes sense" for
 * asynchronous tasks; piscina-pipelined.mjs shows them).
 */
import { Effect } from "effect"
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
  return {
    run: (task, ...args) => Effect.promise(() => pool.run(args, named[task])),
    abortable: (task, ...args) => Effect.promise((signal) => pool.run(args, { name: task, signal })),
    move: (bytes) => Effect.promise(() => pool.run([bytes], { name: "flip", transferList: [bytes.buffer] })),
    close: () => pool.destroy()
  }
}
