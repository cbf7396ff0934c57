/**
 * A synchronous database behind a pool, by hand. For SQLite there is a client that does this and more:
 * `@effect-blocking/sqlite`, with one writer, readers beside it, transactions and streams.
 */
import { NodeBlocking } from "@effect-blocking/platform-node"
import { NodeServices } from "@effect/platform-node"
import { Array, Console, Effect, FileSystem, Path } from "effect"
import { Blocking } from "effect-blocking"
import * as Signal from "../signal.ts"
import { countMultiples, fill, type Settings } from "./tasks.ts"

const rows = 100_000
const divisors = Array.range(1, 50)
const threads = 4

const queries = Effect.gen(function*() {
  yield* Blocking.prewarm()
  yield* Blocking.run(fill, rows)
  return yield* Effect.forEach(divisors, (of) => Blocking.run(countMultiples, of), { concurrency: "unbounded" })
})

export const program = Effect.gen(function*() {
  const fs = yield* FileSystem.FileSystem
  const path = yield* Path.Path
  const folder = yield* fs.makeTempDirectoryScoped({ prefix: "tokio-tour-" })
  const threadData: Settings = { path: path.join(folder, "numbers.db"), opened: Signal.make(), closed: Signal.make() }

  const counts = yield* Effect.provide(queries, NodeBlocking.layer({ maxThreads: threads, threadData }))
  const [opened, closed] = [Atomics.load(threadData.opened, 0), Atomics.load(threadData.closed, 0)]
  yield* Console.log(`${counts.length} queries over ${rows} rows`)
  yield* Console.log(`connections: ${opened} opened on at most ${threads} threads, ${closed} closed with the pool`)
  return { counts, opened, closed }
}).pipe(Effect.scoped, Effect.provide(NodeServices.layer))
