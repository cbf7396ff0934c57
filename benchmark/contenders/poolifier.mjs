/**
 * poolifier: `execute` on a fixed pool of threads.
 *
 * Settings: the defaults (every task goes at once to the least used thread), which are its
 * fastest for tiny tasks, and no events. Only its tasks queue can abort waiting tasks, or move
 * them to another thread: poolifier-queue.mjs.
 *
 * `flip` moves its buffer to the thread and copies it back: a worker of poolifier cannot transfer.
 */
import { Effect } from "effect"
import { fileURLToPath } from "node:url"
import { FixedThreadPool } from "poolifier"

const entry = fileURLToPath(new URL("./poolifier.worker.mjs", import.meta.url))

export const start = async ({ threads, enableTasksQueue = false }) => {
  const pool = new FixedThreadPool(threads, entry, { enableEvents: false, enableTasksQueue })
  return {
    // Its own method, with one message for each item.
    map: (task, items) => Effect.promise(() => pool.mapExecute(items.map((item) => [item]), task)),
    run: (task, ...args) => Effect.promise(() => pool.execute(args, task)),
    abortable: (task, ...args) => Effect.promise((signal) => pool.execute(args, task, signal)),
    move: (bytes) => Effect.promise(() => pool.execute([bytes], "flip", undefined, [bytes.buffer])),
    close: () => pool.destroy()
  }
}
