/** A table with one row, for tests that write. */
import { SqliteClient } from "@effect-blocking/sqlite"
import { Effect } from "effect"

export const table = Effect.gen(function*() {
  const sql = yield* SqliteClient.SqliteClient
  yield* sql`CREATE TABLE account (id TEXT PRIMARY KEY, balance INTEGER NOT NULL)`
  yield* sql`INSERT INTO account VALUES ('a', 10)`
  return sql
})

/** The ids of all rows. */
export const ids = Effect.flatMap(
  SqliteClient.SqliteClient,
  (sql) =>
    Effect.map(sql<{ readonly id: string }>`SELECT id FROM account ORDER BY id`, (rows) => rows.map(({ id }) => id))
)
