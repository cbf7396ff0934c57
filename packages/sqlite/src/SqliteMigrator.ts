/**
 * Runs migrations on a `SqliteClient`, each once and in order, with the `Migrator` of `effect/sql`.
 *
 * @module
 * @since 0.1.0
 */
import type * as Effect from "effect/Effect"
import * as Layer from "effect/Layer"
import * as Migrator from "effect/sql/Migrator"
import type * as SqlClient from "effect/sql/SqlClient"
import type { SqlError } from "effect/sql/SqlError"

/**
 * @category re-exports
 * @since 0.1.0
 */
export * from "effect/sql/Migrator"

/**
 * @category re-exports
 * @since 0.1.0
 */
export { fromFileSystem } from "effect/sql/MigratorFileSystem"

/**
 * Runs the migrations that have not run yet, and returns them.
 *
 * **Example** (Two migrations)
 *
 * ```ts
 * import { SqliteMigrator } from "@effect-blocking/sqlite"
 * import { Effect } from "effect"
 * import { SqlClient } from "effect/sql"
 *
 * export const migrations = SqliteMigrator.run({
 *   loader: SqliteMigrator.fromRecord({
 *     "0001_users": Effect.flatMap(SqlClient.SqlClient, (sql) => sql`CREATE TABLE user (id INTEGER PRIMARY KEY, name TEXT)`),
 *     "0002_email": Effect.flatMap(SqlClient.SqlClient, (sql) => sql`ALTER TABLE user ADD COLUMN email TEXT`)
 *   })
 * })
 * ```
 *
 * @category running
 * @since 0.1.0
 */
export const run: <R>(
  options: Migrator.MigratorOptions<R>
) => Effect.Effect<
  ReadonlyArray<readonly [id: number, name: string]>,
  Migrator.MigrationError | SqlError,
  SqlClient.SqlClient | R
> = Migrator.make({})

/**
 * Layer that runs the migrations.
 *
 * @category layers
 * @since 0.1.0
 */
export const layer = <R>(
  options: Migrator.MigratorOptions<R>
): Layer.Layer<never, Migrator.MigrationError | SqlError, SqlClient.SqlClient | R> => Layer.effectDiscard(run(options))
