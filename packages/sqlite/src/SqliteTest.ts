/**
 * The client for tests: it runs on `BlockingTest` without threads, with a database in memory for
 * each layer. Needs `@effect-blocking/vitest`.
 *
 * @module
 * @since 0.1.0
 */
import type * as NodeBlocking from "@effect-blocking/platform-node/NodeBlocking"
import * as BlockingTest from "@effect-blocking/vitest/BlockingTest"
import * as Blocking from "effect-blocking/Blocking"
import * as Effect from "effect/Effect"
import * as Layer from "effect/Layer"
import type * as SqlClient from "effect/sql/SqlClient"
import { open, plan } from "./internal/client/open.ts"
import { layerClient, type Options, type SqliteClient, type SqliteOpenError } from "./SqliteClient.ts"

// -----------------------------------------------------------------------------
// Services
// -----------------------------------------------------------------------------

/**
 * Pool of the connection that writes, for `BlockingTest.fillQueue` and `close`.
 *
 * @category services
 * @since 0.1.0
 */
export class Writer extends Blocking.Pool<Writer>()("@effect-blocking/sqlite/SqliteTest/Writer") {}

/**
 * Pool of the connections that read. A database in memory has one connection and does not use this
 * pool.
 *
 * @category services
 * @since 0.1.0
 */
export class Readers extends Blocking.Pool<Readers>()("@effect-blocking/sqlite/SqliteTest/Readers") {}

// -----------------------------------------------------------------------------
// Layers
// -----------------------------------------------------------------------------

/**
 * Layer of a client without threads: statements run on the test's thread, and waits follow the
 * test clock. Each layer opens a database of its own, in memory unless `filename` is set.
 *
 * **Example** (A test of a repository)
 *
 * ```ts
 * import * as SqliteTest from "@effect-blocking/sqlite/SqliteTest"
 * import { Effect } from "effect"
 * import { SqlClient } from "effect/sql"
 *
 * const countUsers = Effect.gen(function*() {
 *   const sql = yield* SqlClient.SqlClient
 *   yield* sql`CREATE TABLE user (name TEXT)`
 *   yield* sql`INSERT INTO user (name) VALUES ('Ada')`
 *   return yield* sql`SELECT count(*) AS n FROM user`
 * })
 *
 * export const tested = Effect.provide(countUsers, SqliteTest.layer())
 * ```
 *
 * @category layers
 * @since 0.1.0
 */
export const layer = (
  options?: Partial<Omit<Options, "isolation">>
): Layer.Layer<
  SqliteClient | SqlClient.SqlClient | BlockingTest.BlockingTest | Writer | Readers,
  SqliteOpenError | NodeBlocking.InvalidOptions
> =>
  Layer.unwrap(Effect.map(plan({ filename: ":memory:", ...options }), (planned) => {
    const client = Effect.flatMap(
      Effect.all({ writer: Writer, readers: Readers }),
      ({ readers, writer }) => open(planned, { writer, readers: planned.readers && readers })
    )
    return layerClient(client).pipe(
      Layer.provideMerge(BlockingTest.layerPool(Readers, planned.readers)),
      Layer.provideMerge(BlockingTest.layerPool(Writer, planned.writer))
    )
  }))
