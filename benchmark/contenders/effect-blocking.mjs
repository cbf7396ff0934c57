/**
 * This library, from its staged packages, in plain JavaScript.
 *
 * Settings: threads are kept for the whole row. The queue is larger than any row needs, so
 * that tasks are queued, and not suspended before the queue.
 */
import { NodeBlocking } from "@effect-blocking/platform-node"
import { Effect, Exit, Scope } from "effect"
import { Blocking, Parallel, Task } from "effect-blocking"
import * as module from "./effect-blocking.tasks.mjs"

const tasks = { ...module }

export const graceMillis = 100

export const start = async ({ isolation, threads }) => {
  const scope = Scope.makeUnsafe()
  const pool = await NodeBlocking.make("bench", {
    isolation,
    maxThreads: threads,
    keepAlive: "1 hour",
    queueCapacity: 2_000_000,
    gracePeriod: graceMillis
  }).pipe(Scope.provide(scope), Effect.runPromise)
  const run = (task, ...args) => pool.run(tasks[task], ...args)
  const onPool = Effect.provideService(Blocking.Blocking, pool)
  return {
    run,
    map: (task, items) => onPool(Parallel.map(tasks[task], items)),
    abortable: run,
    rows: (count) => pool.stream(tasks.rows, count),
    calls: (count, answer) => pool.run(tasks.calls, count).pipe(Effect.provideService(module.Increment, answer)),
    move: (bytes) => Effect.suspend(() => pool.run(tasks.flip, Task.move(bytes))),
    close: () => Effect.runPromise(Scope.close(scope, Exit.void))
  }
}
