/** A queue in Redis, with the receipts in SQLite. */
import { ClusterStorage } from "@effect-blocking/cluster"
import { NodeBlocking } from "@effect-blocking/platform-node"
import { SqliteClient } from "@effect-blocking/sqlite"
import * as NodeRedis from "@effect/platform-node/NodeRedis"
import { assert, describe, it } from "@effect/vitest"
import { Effect, Layer, Option } from "effect"
import { PersistedQueue } from "effect/persistence"
import { join } from "node:path"
import * as tasks from "./fixtures/tasks.ts"
import { Farm, folder, linesOf, reasonOf, retrySchedule, storageOptions } from "./utils/farms.ts"
import * as Redis from "./utils/redis.ts"

if (Redis.missing !== undefined) console.log(`Skipped: a queue in Redis. ${Redis.missing}`)

const layer = Layer.unwrap(Effect.gen(function*() {
  const directory = yield* folder
  const { port } = yield* Effect.acquireRelease(
    Effect.promise(() => Redis.start(directory)),
    ({ stop }) => Effect.promise(stop)
  )
  return Farm.layerRunner({ retrySchedule }).pipe(
    Layer.provide(NodeBlocking.layer({ maxThreads: 2 })),
    Layer.provide(ClusterStorage.layerSqlReceipts(storageOptions)),
    Layer.provide(SqliteClient.layer({ filename: join(directory, "farm.db"), readers: 1, synchronous: "normal" })),
    Layer.provide(PersistedQueue.layerStoreRedis({
      pollInterval: 20,
      lockExpiration: "1 second",
      lockRefreshInterval: 300
    })),
    Layer.provide(NodeRedis.layer({ socket: { host: "127.0.0.1", port } }))
  )
}))

describe.skipIf(Redis.missing !== undefined)("a queue in Redis", () => {
  it.live("N5: submits, de-duplicates, tries again, parks, puts back and cancels as in SQL", () =>
    Effect.gen(function*() {
      const log = join(yield* folder, "log")
      const submit = Farm.submit(tasks.flaky, { log, failures: 3 }, { key: "poison" })
      const [receipt] = yield* Effect.replicateEffect(submit, 5, { concurrency: "unbounded" })
      assert.deepInclude(yield* reasonOf(receipt!.await), { _tag: "Parked", executions: 3 })
      const [parked] = yield* Farm.parked()
      assert.isTrue(yield* Farm.putBack(parked!))
      assert.strictEqual(yield* receipt!.await, 4)
      assert.lengthOf(linesOf(log), 4)
      const later = yield* Farm.submit(tasks.square, 2, { key: "later", delay: "1 hour" })
      assert.isTrue(yield* later.cancel)
      assert.strictEqual((yield* reasonOf(later.await))._tag, "Cancelled")
      assert.strictEqual(Option.getOrThrow(yield* later.status).executions, 0)
    }).pipe(Effect.provide(layer)))
})
