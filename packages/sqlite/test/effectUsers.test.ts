/** Q1: the modules that Effect itself builds on a SqlClient, under load. */
import type { SqliteClient } from "@effect-blocking/sqlite"
import { NodeCrypto } from "@effect/platform-node"
import { assert, describe, it } from "@effect/vitest"
import { Effect, Exit, Layer, Ref, Schema } from "effect"
import { ClusterSchema, ClusterWorkflowEngine, Entity, SingleRunner } from "effect/cluster"
import { EventJournal, SqlEventJournal } from "effect/eventlog"
import { KeyValueStore, Persistable, PersistedQueue, Persistence } from "effect/persistence"
import { Rpc } from "effect/rpc"
import { Model } from "effect/schema"
import { SqlClient, SqlModel, SqlResolver, SqlSchema } from "effect/sql"
import { Activity, Workflow } from "effect/workflow"
import { spawn } from "node:child_process"
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from "node:fs"
import { createRequire } from "node:module"
import { dirname, join } from "node:path"
import { type Backend, backends } from "./utils/databases.ts"

const load = (backend: Backend): number => backend.isolation === "process" ? 20 : 100

const ItemId = Schema.String.pipe(Schema.brand("ItemId"))

class Item extends Model.Class<Item>("Item")({
  id: Model.UuidV4Insert(ItemId),
  name: Schema.String,
  updatedAt: Model.DateTimeUpdate
}) {}

class Question extends Persistable.Class<{ payload: { readonly id: number } }>()("Question", {
  primaryKey: ({ id }) => String(id),
  success: Schema.String
}) {}

const Add = Rpc.make("Add", {
  payload: { key: Schema.String, amount: Schema.Int },
  success: Schema.Int,
  primaryKey: ({ key }) => key
}).annotate(ClusterSchema.Persisted, true)

const Counter = Entity.make("Counter", [Add])

const CounterLive = Counter.toLayer(
  Effect.map(
    Ref.make(0),
    (count) => Counter.of({ Add: ({ payload }) => Ref.updateAndGet(count, (current) => current + payload.amount) })
  )
)

const Order = Workflow.make("Order", {
  payload: { id: Schema.String },
  idempotencyKey: ({ id }) => id,
  success: Schema.String
})

const orderLive = (onCharge: () => void) =>
  Order.toLayer(Effect.fnUntraced(function*({ id }) {
    yield* Activity.make({ name: "charge", execute: Effect.sync(onCharge) })
    return yield* Activity.make({ name: "ship", success: Schema.String, execute: Effect.succeed(`shipped ${id}`) })
  }))

const suite = (backend: Backend): void => {
  let charges = 0
  const test = <A, E>(name: string, body: Effect.Effect<A, E, SqliteClient.SqliteClient | SqlClient.SqlClient>) =>
    it.live(name, () => Effect.provide(body, backend.layer()))

  describe(`Effect's users of SqlClient on ${backend.name}`, () => {
    test(
      "Q1 SqlModel, SqlSchema and SqlResolver",
      Effect.gen(function*() {
        const sql = yield* SqlClient.SqlClient
        yield* sql`CREATE TABLE item (id TEXT PRIMARY KEY, name TEXT NOT NULL, updatedAt TEXT NOT NULL)`
        const repository = yield* SqlModel.makeRepository(Item, {
          tableName: "item",
          spanPrefix: "Items",
          idColumn: "id"
        })
        const names = Array.from({ length: load(backend) }, (_, i) => `item ${i}`)
        const made = yield* Effect.forEach(
          names,
          (name) => Effect.flatMap(Item.insert.makeEffect({ name }), repository.insert),
          { concurrency: 20 }
        )
        assert.strictEqual(new Set(made.map(({ id }) => id)).size, names.length)
        const byId = SqlResolver.findById({
          Id: ItemId,
          Result: Item,
          ResultId: ({ id }) => id,
          execute: (ids) => sql`SELECT * FROM item WHERE ${sql.in("id", ids)}`
        })
        const found = yield* Effect.forEach(made, ({ id }) => SqlResolver.request(id, byId), {
          concurrency: "unbounded"
        })
        assert.deepStrictEqual(found.map(({ name }) => name), made.map(({ name }) => name))
        const all = SqlSchema.findAll({ Request: Schema.Void, Result: Item, execute: () => sql`SELECT * FROM item` })
        assert.lengthOf(yield* all(), names.length)
      })
    )

    test(
      "Q1 KeyValueStore and Persistence",
      Effect.gen(function*() {
        const count = load(backend)
        const numbers = Array.from({ length: count }, (_, i) => i)
        const store = yield* KeyValueStore.KeyValueStore
        yield* Effect.forEach(numbers, (i) => store.set(`key ${i}`, `value ${i}`), { concurrency: 20 })
        assert.strictEqual(yield* store.get("key 7"), "value 7")
        yield* store.set("bytes", new Uint8Array([1, 2]))
        assert.deepStrictEqual(yield* store.getUint8Array("bytes"), new Uint8Array([1, 2]))
        assert.strictEqual(yield* store.size, count + 1)
        const persistence = yield* Persistence.Persistence
        const answers = yield* persistence.make({ storeId: "answers" })
        yield* Effect.forEach(numbers, (id) => answers.set(new Question({ id }), Exit.succeed(`answer ${id}`)), {
          concurrency: 20
        })
        const found = yield* answers.getMany(numbers.map((id) => new Question({ id })))
        assert.deepStrictEqual(found[3], Exit.succeed("answer 3"))
        assert.lengthOf(found, count)
      }).pipe(Effect.provide([KeyValueStore.layerSql(), Persistence.layerSql]), Effect.scoped)
    )

    test(
      "Q1 PersistedQueue: many takers take each element once",
      Effect.gen(function*() {
        const queue = yield* PersistedQueue.make({ name: "numbers", schema: Schema.Int })
        const numbers = Array.from({ length: load(backend) }, (_, i) => i)
        yield* Effect.forEach(numbers, (number) => queue.offer(number), { concurrency: 20 })
        const taken: Array<number> = []
        yield* Effect.forEach(numbers, () => queue.take((number) => Effect.sync(() => taken.push(number))), {
          concurrency: 4,
          discard: true
        })
        assert.deepStrictEqual(taken.sort((a, b) => a - b), numbers)
      }).pipe(Effect.provide(PersistedQueue.layer.pipe(Layer.provide(PersistedQueue.layerStoreSql()))), Effect.scoped)
    )

    test(
      "Q1 the event journal",
      Effect.gen(function*() {
        const journal = yield* EventJournal.EventJournal
        yield* Effect.forEach(Array.from({ length: load(backend) }), (_, i) =>
          journal.write({
            event: "added",
            primaryKey: String(i),
            payload: new Uint8Array([i]),
            effect: () => Effect.void
          }), { concurrency: 20 })
        const entries = yield* journal.entries
        assert.lengthOf(entries, load(backend))
        assert.deepStrictEqual(
          entries.map(({ payload }) => payload[0]!).sort((a, b) => a - b).at(-1),
          load(backend) - 1
        )
      }).pipe(Effect.provide(SqlEventJournal.layer()), Effect.scoped)
    )

    test(
      "Q1 SingleRunner: persisted calls, once for each key, and workflows",
      Effect.gen(function*() {
        const count = load(backend)
        const client = yield* Counter.client
        const keys = Array.from({ length: count }, (_, i) => `key ${i % (count / 2)}`)
        const totals = yield* Effect.forEach(keys, (key) => client("one").Add({ key, amount: 1 }), {
          concurrency: "unbounded"
        })
        assert.strictEqual(Math.max(...totals), count / 2)
        const ids = Array.from({ length: count }, (_, i) => `order ${i % (count / 2)}`)
        const shipped = yield* Effect.forEach(ids, (id) => Order.execute({ id }), { concurrency: "unbounded" })
        assert.deepStrictEqual(shipped, ids.map((id) => `shipped ${id}`))
        assert.strictEqual(charges, count / 2)
      }).pipe(
        Effect.provide(
          Layer.mergeAll(CounterLive, orderLive(() => void charges++)).pipe(
            Layer.provideMerge(ClusterWorkflowEngine.layer),
            Layer.provideMerge(SingleRunner.layer()),
            Layer.provide(NodeCrypto.layerDigest)
          )
        ),
        Effect.scoped
      )
    )
  })
}

for (const backend of backends) if (backend.threads) suite(backend)

describe("Effect's own documentation", () => {
  it.live("Q1 its program with a model, migrations and a repository runs with only the package changed", () =>
    Effect.gen(function*() {
      const page = join(
        dirname(createRequire(import.meta.url).resolve("effect/package.json")),
        "ai-docs/src/40_sql/10_basics.ts"
      )
      const program = readFileSync(page, "utf8")
      assert.include(program, "\"@effect/sql-sqlite-node\"")
      // Inside this package, where it finds its dependencies.
      const folder = mkdtempSync(join(import.meta.dirname, "fixtures", "documentation-"))
      yield* Effect.addFinalizer(() => Effect.sync(() => rmSync(folder, { recursive: true, force: true })))
      const file = join(folder, "program.ts")
      writeFileSync(file, program.replace("\"@effect/sql-sqlite-node\"", "\"@effect-blocking/sqlite\""))
      const output = yield* Effect.callback<string>((resume) => {
        const child = spawn(process.execPath, [file], { timeout: 60_000, killSignal: "SIGKILL" })
        let text = ""
        child.stdout.on("data", (data) => text += data)
        child.stderr.on("data", (data) => text += data)
        child.on("close", (code) => resume(Effect.succeed(`${text}exit ${code}`)))
        return Effect.sync(() => child.kill("SIGKILL"))
      })
      assert.match(output, /total groups: 2[^]*exit 0$/)
    }).pipe(Effect.scoped))
})
