/** A table with one row, which tests write to. */
import { SqliteClient } from "@effect-blocking/sqlite"
import { Effect } from "effect"

export const table = Effect.gen(function*() {
  const sql = yield* SqliteClient.SqliteClient
  yield* sql`CREATE TABLE account (id TEXT PRIMARY KEY, balance INTEGER NOT NULL)`
  yield* sql`INSERT INTO account VALUES ('a', 10)`
  return sql
})

/** The rows that are there. */
export const ids = Effect.flatMap(
  SqliteClient.SqliteClient,
  (sql) =>
    Effect.map(sql<{ readonly id: string }>`SELECT id FROM account ORDER BY id`, (rows) => rows.map(({ id }) => id))
)
