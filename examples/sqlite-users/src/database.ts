/** The database, with its migrations. */
import { SqliteClient, SqliteMigrator } from "@effect-blocking/sqlite"
import { Effect, Layer } from "effect"
import { SqlClient } from "effect/sql"

/** How many statements read at the same time. */
export const readers = 2

/** How many statements may wait; the next one is refused. */
export const queueCapacity = 8

export const migrations = SqliteMigrator.fromRecord({
  "0001_users": Effect.gen(function*() {
    const sql = yield* SqlClient.SqlClient
    yield* sql`
      CREATE TABLE users (
        id INTEGER PRIMARY KEY,
        name TEXT NOT NULL,
        email TEXT NOT NULL UNIQUE COLLATE NOCASE
      ) STRICT`
  })
})

export const layer = (filename: string) =>
  SqliteMigrator.layer({ loader: migrations }).pipe(
    Layer.provideMerge(SqliteClient.layer({ filename, readers, queueCapacity, onFull: "fail", synchronous: "normal" }))
  )
