/**
 * tinypool: `run` with the name of the task.
 *
 * Settings: as for piscina, because it is a fork of piscina (it keeps no histogram).
 */
import { Effect } from "effect"
import { Tinypool } from "tinypool"
import * as bodies from "./bodies.mjs"

const named = Object.fromEntries(Object.keys(bodies).map((name) => [name, { name }]))

export const start = async ({ threads, tasksPerThread = 1, ...options }) => {
  const pool = new Tinypool({
    ...options,
    filename: new URL("./tinypool.worker.mjs", import.meta.url).href,
    minThreads: threads,
    maxThreads: threads,
    concurrentTasksPerWorker: tasksPerThread
  })
  return {
    run: (task, ...args) => Effect.promise(() => pool.run(args, named[task])),
    abortable: (task, ...args) => Effect.promise((signal) => pool.run(args, { name: task, signal })),
    move: (bytes) => Effect.promise(() => pool.run([bytes], { name: "flip", transferList: [bytes.buffer] })),
    close: () => pool.destroy()
  }
}
