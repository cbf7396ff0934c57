import { SqliteClient } from "@effect-blocking/sqlite"
import { Effect, Stream } from "effect"
import { mkdtempSync, rmSync } from "node:fs"
import { tmpdir } from "node:os"
import { join } from "node:path"
import { add } from "./notes.ts"

const folder = mkdtempSync(join(tmpdir(), "notes-"))

const program = Effect.gen(function*() {
  const sql = yield* SqliteClient.SqliteClient
  yield* sql`CREATE TABLE IF NOT EXISTS note (id INTEGER PRIMARY KEY, text TEXT)`
  yield* sql.withTransaction(sql`INSERT INTO note ${sql.insert({ text: "one" })}`)
  const id = yield* sql.transact(add, "two")
  const rows = yield* Stream.runCollect(sql<{ readonly text: string }>`SELECT text FROM note`.stream)
  const error = yield* Effect.flip(sql`SELECT missing`)
  return `${id} ${rows.map(({ text }) => text).join(",")} ${error.message}`
})

for (const isolation of ["thread", "process"] as const) {
  const layer = SqliteClient.layer({ filename: join(folder, `${isolation}.db`), isolation, readers: 1 })
  console.log(await Effect.runPromise(program.pipe(Effect.provide(layer))))
}
rmSync(folder, { recursive: true })
