/** better-sqlite3 on worker threads, as its documentation recommends, in the most used pool. */
import { Effect } from "effect"
import { Piscina } from "piscina"

export const open = async (filename) => {
  const pool = new Piscina({
    filename: new URL("better-sqlite3-piscina.worker.mjs", import.meta.url).href,
    minThreads: 3,
    maxThreads: 3,
    concurrentTasksPerWorker: 1,
    workerData: { filename }
  })
  const run = (name, ...args) => Effect.promise(() => pool.run(args, { name }))
  return {
    read: (id) => run("read", id),
    all: (query, params) => run("all", query, params),
    insert: (i) => run("insert", i),
    transaction: (from) => run("transaction", from),
    close: () => pool.destroy()
  }
}
