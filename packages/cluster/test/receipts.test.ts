/** Receipts in each storage, without a runner. */
import { ClusterStorage } from "@effect-blocking/cluster"
import { SqliteClient } from "@effect-blocking/sqlite"
import { PgClient } from "@effect/sql-pg"
import { assert, describe, it } from "@effect/vitest"
import { Effect, Exit, Fiber, Layer, Option, Redacted } from "effect"
import { SqlClient } from "effect/sql"
import { join } from "node:path"
import { afterAll, beforeAll } from "vitest"
import * as tasks from "./fixtures/tasks.ts"
import { Farm, folder, reasonOf, storageOptions } from "./utils/farms.ts"
import * as Postgres from "./utils/postgres.ts"

if (Postgres.missing !== undefined) console.log(`Skipped: receipts on PostgreSQL. ${Postgres.missing}`)

let postgres: Postgres.Postgres | undefined

const withSql = <E>(client: Layer.Layer<SqlClient.SqlClient, E>) =>
  Layer.provideMerge(Farm.layerClient(), Layer.provideMerge(ClusterStorage.layerSql(storageOptions), client)).pipe(
    Layer.orDie
  )

const onMemory = Layer.provideMerge(Farm.layerClient(), ClusterStorage.layerMemory)

const onSqlite = Layer.unwrap(
  Effect.map(folder, (folder) => withSql(SqliteClient.layer({ filename: join(folder, "farm.db"), readers: 1 })))
)

const onPostgres = Layer.unwrap(
  Effect.sync(() => withSql(PgClient.layer({ url: Redacted.make(postgres!.url), maxConnections: 3 })))
)

const storages = [
  { name: "memory", layer: onMemory, sql: undefined, skipped: false },
  { name: "SQLite", layer: onSqlite, sql: onSqlite, skipped: false },
  { name: "PostgreSQL", layer: onPostgres, sql: onPostgres, skipped: Postgres.missing !== undefined }
]

const stored = Effect.map(
  ClusterStorage.ClusterStorage,
  (storage) => storage["~@effect-blocking/cluster/ClusterStorage/parts"].receipts
)

/** As if `timeToLive` were over. */
const forget = Effect.flatMap(stored, (receipts) => receipts.forget(-1000))

const itemOf = (key: string) =>
  Effect.map(
    Effect.flatMap(stored, (receipts) => receipts.find("test/Farm", "square", key)),
    (row) => Option.getOrThrow(row).item
  )

const park = (item: string) =>
  Effect.flatMap(
    stored,
    (receipts) => receipts.settle(item, "parked", JSON.stringify({ _tag: "Parked", executions: 3, detail: "no good" }))
  )

for (const { layer, name, skipped, sql } of storages) {
  describe.skipIf(skipped)(`receipts in ${name}`, { concurrent: false, timeout: 60_000 }, () => {
    if (name === "PostgreSQL") {
      beforeAll(async () => {
        postgres = await Postgres.start()
      }, 120_000)
      afterAll(() => postgres?.stop())
    }

    it.live("N3: a receipt whose result was removed after timeToLive fails typed", () =>
      Effect.gen(function*() {
        const receipt = yield* Farm.submit(tasks.square, 3, { key: "three" })
        yield* receipt.cancel
        yield* forget
        const reason = yield* reasonOf(receipt.await)
        assert.deepInclude(reason, { _tag: "ReceiptNotFound", key: "three" })
        assert.match(reason.message, /no receipt under the key "three".*submit it again/)
        const exit = Option.getOrThrow(yield* receipt.poll)
        assert.strictEqual((yield* reasonOf(exit))._tag, "ReceiptNotFound")
        assert.isTrue(Option.isNone(yield* receipt.status))
        assert.isFalse(yield* receipt.cancel)
        // The key is free again, and the receipt belongs to the new task.
        yield* Farm.submit(tasks.square, 3, { key: "three" })
        assert.deepStrictEqual(yield* receipt.poll, Option.none())
      }).pipe(Effect.provide(layer)))

    it.live("N3, N5: a pending or parked task is not removed after timeToLive", () =>
      Effect.gen(function*() {
        const pending = yield* Farm.submit(tasks.square, 3, { key: "three" })
        const parked = yield* Farm.submit(tasks.square, 4, { key: "four" })
        yield* park(yield* itemOf("four"))
        yield* forget
        assert.deepStrictEqual(yield* pending.poll, Option.none())
        assert.strictEqual((yield* reasonOf(parked.await))._tag, "Parked")
      }).pipe(Effect.provide(layer)))

    it.live("N3: the first result counts, and a later one changes nothing", () =>
      Effect.gen(function*() {
        const receipts = yield* stored
        const receipt = yield* Farm.submit(tasks.square, 3, { key: "three" })
        const item = yield* itemOf("three")
        assert.isTrue(yield* receipts.settle(item, "succeeded", "9"))
        assert.isFalse(yield* receipts.settle(item, "succeeded", "10"))
        assert.isFalse(yield* receipts.settle(item, "cancelled", undefined))
        assert.isUndefined(yield* receipts.begin(item, "a runner"))
        assert.isFalse(yield* receipt.cancel)
        assert.strictEqual(yield* receipt.await, 9)
      }).pipe(Effect.provide(layer)))

    it.live("N3: many receipts are awaited at once, under any keys", () =>
      Effect.gen(function*() {
        const receipts = yield* Effect.forEach(
          // Keys that SQL or JSON would have to escape.
          ["plain", "quo'te", "dou\"ble", "[\"a\"]", "ünïcödé \u{1F600}", "half \uD800", "back\\slash", ""],
          (key) => Farm.submit(tasks.square, 3, { key })
        )
        const waiting = yield* Effect.forEach(receipts, (receipt) => Effect.forkChild(reasonOf(receipt.await)))
        for (const receipt of receipts) assert.isTrue(yield* receipt.cancel)
        for (const fiber of waiting) assert.strictEqual((yield* Fiber.join(fiber))._tag, "Cancelled")
      }).pipe(Effect.provide(layer)))

    if (sql === undefined) return

    it.live("N3: a receipt that was never committed fails typed, and so does one within its transaction", () =>
      Effect.gen(function*() {
        const client = yield* SqlClient.SqlClient
        const submit = Farm.submit(tasks.square, 3, { key: "three" })
        const within = yield* client.withTransaction(Effect.flatMap(submit, ({ await: result }) => reasonOf(result)))
        assert.strictEqual(within._tag, "ReceiptNotFound")
        yield* forget
        let receipt: Effect.Success<typeof submit> | undefined
        yield* Effect.exit(client.withTransaction(
          Effect.flatMap(Farm.submit(tasks.square, 4, { key: "four" }), (given) => {
            receipt = given
            return Effect.fail("rolled back")
          })
        ))
        assert.strictEqual((yield* reasonOf(receipt!.await))._tag, "ReceiptNotFound")
      }).pipe(Effect.provide(sql)))

    it.live("N3: a receipt and its place in the queue are stored together, or neither is", () =>
      Effect.gen(function*() {
        const receipts = yield* stored
        const noOffer = () => Effect.fail("the queue failed")
        const given = { farm: "test/Farm", tag: "square", version: 1, envelope: "{}" }
        assert.isTrue(Exit.isFailure(
          yield* Effect.exit(receipts.submit({ ...given, key: "three", item: "an item" }, noOffer))
        ))
        assert.isTrue(Option.isNone(yield* Farm.receipt(tasks.square, "three")))
        const receipt = yield* Farm.submit(tasks.square, 4, { key: "four" })
        const item = yield* itemOf("four")
        yield* park(item)
        const next = { item: "another item", envelope: "{}" }
        assert.isTrue(Exit.isFailure(yield* Effect.exit(receipts.requeue(item, "parked", next, noOffer))))
        assert.strictEqual(yield* itemOf("four"), item)
        assert.strictEqual((yield* reasonOf(receipt.await))._tag, "Parked")
      }).pipe(Effect.provide(sql)))

    it.live("N3: a wait for a receipt fails typed when its row disappears", () =>
      Effect.gen(function*() {
        const client = yield* SqlClient.SqlClient
        const receipt = yield* Farm.submit(tasks.square, 3, { key: "three" })
        const waiting = yield* Effect.forkChild(receipt.await, { startImmediately: true })
        // Settled by a query that has also asked for the first one.
        const other = yield* Farm.submit(tasks.square, 4, { key: "four" })
        yield* other.cancel
        yield* Effect.exit(other.await)
        yield* client`DELETE FROM effect_blocking_receipts WHERE task_key = ${"three"}`
        assert.strictEqual((yield* reasonOf(Fiber.join(waiting)))._tag, "ReceiptNotFound")
        assert.isTrue(Exit.isFailure(yield* Effect.exit(receipt.await)))
      }).pipe(Effect.provide(sql)))
  })
}
