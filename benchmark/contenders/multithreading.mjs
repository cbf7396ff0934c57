/**
 * multithreading: `spawn` of a function with its arguments.
 *
 * Settings: the number of threads, which is the only option. Its `abort` rejects the promise,
 * and the task continues to run.
 */
import { Effect } from "effect"
import { initRuntime, move, shutdown, spawn } from "multithreading"
import * as module from "./bodies.mjs"

const bodies = { ...module }

const valueOf = (result) => {
  if (!result.ok) throw result.error
  return result.value
}

export const start = async ({ threads }) => {
  initRuntime({ maxWorkers: threads })
  const run = (task, ...args) => Effect.promise(() => spawn(move(...args), bodies[task]).join().then(valueOf))
  return {
    run,
    abortable: (task, ...args) =>
      Effect.callback((resume) => {
        const handle = spawn(move(...args), bodies[task])
        handle.join().then(valueOf).then(
          (value) => resume(Effect.succeed(value)),
          (error) => resume(Effect.die(error))
        )
        return Effect.sync(() => handle.abort())
      }),
    move: (bytes) => run("flip", bytes),
    close: async () => shutdown()
  }
}
