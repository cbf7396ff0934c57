/** Effect's PersistedQueue with the same locks in the same kind of database: the body runs in the runner's main thread. */
import { SqliteClient } from "@effect-blocking/sqlite"
import { Effect, Exit, Layer, Schedule, Schema, Scope } from "effect"
import { PersistedQueue } from "effect/persistence"
import { setTimeout as sleep } from "node:timers/promises"
import { end, lines, startRunner } from "../../cluster.mjs"

export const queue = PersistedQueue.make({
  name: "benchmark",
  schema: Schema.Struct({ file: Schema.String, millis: Schema.Finite }),
  retrySchedule: Schedule.spaced(100)
})

export const storage = (folder, lockMillis) =>
  PersistedQueue.layer.pipe(
    Layer.provide(PersistedQueue.layerStoreSql({
      pollInterval: 50,
      lockExpiration: lockMillis,
      lockRefreshInterval: lockMillis / 3
    })),
    Layer.provide(SqliteClient.layer({ filename: `${folder}/queue.db`, readers: 1, synchronous: "normal" }))
  )

export const open = async (folder, { lockMillis }) => {
  const options = { folder, lockMillis }
  const runners = [await startRunner("effect-queue", options)]
  const scope = Scope.makeUnsafe()
  const context = await Effect.runPromise(Layer.buildWithScope(storage(folder, lockMillis), scope))
  return {
    noted: (file, millis) =>
      Effect.gen(function*() {
        const { offer } = yield* queue
        yield* offer({ file, millis })
        // It has no result to wait for: it is done when the body has run.
        yield* Effect.promise(async () => {
          while (lines(file) === 0) await sleep(20)
          await sleep(millis)
        })
      }).pipe(Effect.provideContext(context)),
    another: async () => runners.push(await startRunner("effect-queue", options)),
    close: async () => {
      await Effect.runPromise(Scope.close(scope, Exit.void))
      await end(runners)
    }
  }
}
