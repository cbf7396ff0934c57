/**
 * workerpool: `exec` of a method of a dedicated worker script.
 *
 * Settings: worker threads, all from the start. A dedicated script, because its documentation
 * calls functions sent as text slower.
 */
import { Effect } from "effect"
import { fileURLToPath } from "node:url"
import workerpool from "workerpool"

export const start = async ({ threads, ...options }) => {
  const pool = workerpool.pool(fileURLToPath(new URL("./workerpool.worker.mjs", import.meta.url)), {
    workerType: "thread",
    ...options,
    minWorkers: threads,
    maxWorkers: threads
  })
  return {
    run: (task, ...args) => Effect.promise(() => pool.exec(task, args)),
    abortable: (task, ...args) =>
      Effect.callback((resume) => {
        const promise = pool.exec(task, args)
        promise.then((value) => resume(Effect.succeed(value)), (error) => resume(Effect.die(error)))
        return Effect.sync(() => promise.cancel())
      }),
    move: (bytes) => Effect.promise(() => pool.exec("flip", [bytes], { transfer: [bytes.buffer] })),
    close: () => pool.terminate(true)
  }
}
