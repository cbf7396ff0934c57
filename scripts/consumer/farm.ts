import { ClusterPool, ClusterStorage } from "@effect-blocking/cluster"
import { NodeBlocking } from "@effect-blocking/platform-node"
import { SqliteClient } from "@effect-blocking/sqlite"
import { Effect, Layer } from "effect"
import { mkdtempSync, rmSync } from "node:fs"
import { tmpdir } from "node:os"
import { join } from "node:path"
import { square } from "./squares.ts"

class Farm extends ClusterPool.Service<Farm>()("consumer/Farm", { tasks: [square] }) {}

const folder = mkdtempSync(join(tmpdir(), "farm-"))
const runner = Farm.layerRunner().pipe(
  Layer.provide(NodeBlocking.layer({ maxThreads: 1 })),
  Layer.provide(ClusterStorage.layerSql()),
  Layer.provide(SqliteClient.layer({ filename: join(folder, "farm.db") }))
)

const program = Effect.gen(function*() {
  const called = yield* Farm.run(square, 3)
  const receipt = yield* Farm.submit(square, 4, { key: "four" })
  return `${called} ${yield* receipt.await} ${(yield* Farm.stats).submitted.succeeded}`
})

console.log(await Effect.runPromise(program.pipe(Effect.provide(runner))))
rmSync(folder, { recursive: true })
