/**
 * An `effect/sql` client for SQLite that never blocks the event loop: statements run on threads,
 * one that writes and several that read.
 *
 * @module
 * @since 0.1.0
 */
import * as NodeBlocking from "@effect-blocking/platform-node/NodeBlocking"
import type * as Blocking from "effect-blocking/Blocking"
import * as Config from "effect/Config"
import * as Context from "effect/Context"
import type * as Duration from "effect/Duration"
import * as Effect from "effect/Effect"
import * as Layer from "effect/Layer"
import * as Reactivity from "effect/reactivity/Reactivity"
import type * as Scope from "effect/Scope"
import * as SqlClient from "effect/sql/SqlClient"
import type { SqlError } from "effect/sql/SqlError"
import type { Statement } from "effect/sql/Statement"
import { open, plan } from "./internal/client/open.ts"
import type { SqliteOpenError } from "./internal/client/openError.ts"
import type { SqliteTask } from "./SqliteTask.ts"

// -----------------------------------------------------------------------------
// Models
// -----------------------------------------------------------------------------

/**
 * A `SqlClient` with the operations that only SQLite has.
 *
 * @category models
 * @since 0.1.0
 */
export interface SqliteClient extends SqlClient.SqlClient {
  /**
   * Runs an effect in a transaction that only reads. It holds one reader, and all its statements
   * see the database as it was at the first one. The writer goes on.
   */
  readonly readTransaction: <A, E, R>(self: Effect.Effect<A, E, R>) => Effect.Effect<A, E | SqlError, R>
  /**
   * Runs statements in one transaction and in one trip to the writer, and returns the rows of
   * each. Inside a transaction, they join it.
   */
  readonly batch: <const Statements extends ReadonlyArray<Statement<unknown>>>(
    statements: Statements
  ) => Effect.Effect<BatchResults<Statements>, SqlError>
  /**
   * Runs a body on the writer's thread, in a transaction of its own and in one trip. Inside a
   * transaction, the body joins it under a savepoint.
   */
  readonly transact: <Args extends ReadonlyArray<unknown>, A, E>(
    task: SqliteTask<Args, A, E>,
    ...args: { [K in keyof Args]: Args[K] }
  ) => Effect.Effect<A, E | SqlError>
  /**
   * Copies a snapshot of the database to a file, while reads and writes go on. An existing file is
   * replaced when the copy is complete.
   */
  readonly backup: (destination: string) => Effect.Effect<void, SqlError>
  /** Moves the contents of the WAL into the database. `mode` defaults to `"passive"`. */
  readonly checkpoint: (mode?: CheckpointMode) => Effect.Effect<Checkpoint, SqlError>
  /** The state of the threads, and the size of the WAL. */
  readonly stats: Effect.Effect<Stats>
  /** Not available: SQLite cannot name the columns in `UPDATE … FROM (VALUES …)`. */
  readonly updateValues: never
}

/**
 * The rows of each statement of a batch.
 *
 * @category models
 * @since 0.1.0
 */
export type BatchResults<Statements extends ReadonlyArray<Statement<unknown>>> = {
  readonly [K in keyof Statements]: Statements[K] extends Statement<infer A> ? ReadonlyArray<A> : never
}

/**
 * How a checkpoint runs. `"passive"` waits for nothing, `"full"` for writers, `"restart"` for
 * writers and readers; `"truncate"` is `"restart"` and then empties the WAL.
 *
 * @category models
 * @since 0.1.0
 */
export type CheckpointMode = "passive" | "full" | "restart" | "truncate"

/**
 * The result of a checkpoint.
 *
 * @category models
 * @since 0.1.0
 */
export interface Checkpoint {
  /** Whether the whole WAL was moved into the database. */
  readonly complete: boolean
  /** The pages in the WAL; -1 if there is no WAL. */
  readonly pages: number
  readonly checkpointedPages: number
}

/**
 * The state of a client's threads, and the size of its WAL.
 *
 * @category models
 * @since 0.1.0
 */
export interface Stats {
  readonly writer: Blocking.PoolStats
  /** `undefined` if one connection both reads and writes. */
  readonly readers: Blocking.PoolStats | undefined
  readonly walBytes: number
}

/**
 * Options for opening a database.
 *
 * @category models
 * @since 0.1.0
 */
export interface Options {
  /** The path of the database, or `":memory:"`. */
  readonly filename: string
  /** Opens the database for reading only. Defaults to `false`. */
  readonly readonly?: boolean | undefined
  /**
   * The number of connections that read, each on a thread of its own. With 0, one connection both
   * reads and writes; a database in memory always has one connection. Defaults to one less than
   * the number of cores, but at least 2 and at most 4.
   */
  readonly readers?: number | undefined
  /**
   * Where connections run. With `"process"`, a write that is interrupted or exceeds its time limit
   * releases its lock at once, because its process is killed. Defaults to `"thread"`.
   */
  readonly isolation?: "thread" | "process" | undefined
  /** The number of prepared statements that each connection caches. Defaults to 200. */
  readonly prepareCacheSize?: number | undefined
  /** How long to wait for a lock of another process. The wait holds no thread. Defaults to 5 seconds. */
  readonly busyTimeout?: Duration.Input | undefined
  /** Keeps SQLite's rollback journal: readers and the writer then wait for each other. Defaults to `false`. */
  readonly disableWAL?: boolean | undefined
  /**
   * When a commit is acknowledged. With `"full"`, when it is on the disk. With `"normal"`, much
   * sooner: it survives the end of the program, but not a loss of power. Defaults to `"full"`.
   */
  readonly synchronous?: "normal" | "full" | undefined
  /**
   * The url of a module whose default export is called with each new connection (`DatabaseSync` of
   * `node:sqlite`), in its thread. Use it for functions, extensions, pragmas and ATTACH.
   */
  readonly init?: string | URL | undefined
  /** How many statements may wait for the writer, and how many for a reader. Defaults to 10 000 each. */
  readonly queueCapacity?: number | undefined
  /**
   * The effect of a full queue on a statement. With `"suspend"`, its fiber waits for room. With
   * `"fail"`, it fails with a `ConnectionError` whose `cause` is a `JoinError` with reason
   * `QueueFull`. Defaults to `"suspend"`.
   */
  readonly onFull?: "suspend" | "fail" | undefined
  /**
   * How long one statement may take, including the wait for its thread. Defaults to no limit.
   * Statements that cannot be rolled back, such as VACUUM and PRAGMA, never have a limit.
   */
  readonly statementTimeLimit?: Duration.Input | undefined
  /**
   * How long a stream may be open, and how long it may go without a pull: an open stream keeps the
   * WAL from being emptied. Defaults to 10 minutes.
   */
  readonly streamTimeLimit?: Duration.Input | undefined
  /** The size in bytes beyond which the WAL is emptied, as soon as no reader needs it. Defaults to 64 MB. */
  readonly journalSizeLimit?: number | undefined
  /**
   * Invalidates the name of each written table in `Reactivity`, after the commit. Needs Node 24.10.
   * Defaults to `false`.
   */
  readonly autoInvalidate?: boolean | undefined
  /** Attributes for the span of each statement. */
  readonly spanAttributes?: Readonly<Record<string, unknown>> | undefined
  /** Turns names in queries into names of columns, such as `String.camelToSnake`. */
  readonly transformQueryNames?: ((name: string) => string) | undefined
  /** Turns names of columns into names in results, such as `String.snakeToCamel`. */
  readonly transformResultNames?: ((name: string) => string) | undefined
}

// -----------------------------------------------------------------------------
// Errors
// -----------------------------------------------------------------------------

export {
  /**
   * The database was not opened: the folder does not exist, permission is missing, the file is not
   * a database, or the `init` module failed.
   *
   * @category errors
   * @since 0.1.0
   */
  SqliteOpenError
} from "./internal/client/openError.ts"

// -----------------------------------------------------------------------------
// Services
// -----------------------------------------------------------------------------

/**
 * Service of the client. The layers provide the same client as `SqlClient` of `effect/sql`.
 *
 * @category services
 * @since 0.1.0
 */
export const SqliteClient = Context.Service<SqliteClient>("@effect-blocking/sqlite/SqliteClient")

// -----------------------------------------------------------------------------
// Constructors
// -----------------------------------------------------------------------------

/**
 * Opens a database. It is closed with the scope.
 *
 * @category constructors
 * @since 0.1.0
 */
export const make: (
  options: Options
) => Effect.Effect<
  SqliteClient,
  SqliteOpenError | NodeBlocking.InvalidOptions,
  Scope.Scope | Reactivity.Reactivity
> = Effect.fnUntraced(function*(options: Options) {
  const planned = yield* plan(options)
  // The writer is acquired first, so that it is released last.
  const writer = yield* NodeBlocking.make(`${planned.key}/writer`, planned.writer)
  const readers = planned.readers && (yield* NodeBlocking.make(`${planned.key}/readers`, planned.readers))
  return yield* open(planned, { writer, readers })
})

// -----------------------------------------------------------------------------
// Layers
// -----------------------------------------------------------------------------

/**
 * Layer of the client.
 *
 * **Details**
 *
 * Reads run on `readers` threads and writes on one, so that reads and writes do not wait for each
 * other. The first word of a statement decides where it runs. A read sees every write that ended
 * before it began. When the layer is released, running statements have 5 seconds to end.
 *
 * **Gotchas**
 *
 * ATTACH, pragmas and temporary tables affect only the connection that runs them, which is the
 * writer's. Use `init`, or a transaction.
 *
 * **Example** (Create a table, insert a row, and read it)
 *
 * ```ts
 * import { SqliteClient } from "@effect-blocking/sqlite"
 * import { Effect } from "effect"
 * import { SqlClient } from "effect/sql"
 *
 * const program = Effect.gen(function*() {
 *   const sql = yield* SqlClient.SqlClient
 *   yield* sql`CREATE TABLE IF NOT EXISTS note (id INTEGER PRIMARY KEY, text TEXT NOT NULL)`
 *   yield* sql`INSERT INTO note ${sql.insert({ text: "hello" })}`
 *   return yield* sql<{ readonly text: string }>`SELECT text FROM note`
 * })
 *
 * export const notes = Effect.provide(program, SqliteClient.layer({ filename: "notes.db" }))
 * ```
 *
 * @category layers
 * @since 0.1.0
 */
export const layer = (
  options: Options
): Layer.Layer<SqliteClient | SqlClient.SqlClient, SqliteOpenError | NodeBlocking.InvalidOptions> =>
  layerClient(make(options))

/**
 * Layer of the client whose options can come from `Config`.
 *
 * @category layers
 * @since 0.1.0
 */
export const layerConfig = (
  options: Config.Wrap<Options>
): Layer.Layer<
  SqliteClient | SqlClient.SqlClient,
  SqliteOpenError | NodeBlocking.InvalidOptions | Config.ConfigError
> => layerClient(Effect.flatMap(Config.unwrap(options), make))

/**
 * Layer that provides a client as both services.
 *
 * @category layers
 * @since 0.1.0
 */
export const layerClient = <E, R>(
  client: Effect.Effect<SqliteClient, E, R>
): Layer.Layer<SqliteClient | SqlClient.SqlClient, E, Exclude<R, Scope.Scope | Reactivity.Reactivity>> =>
  Layer.effectContext(
    Effect.map(client, (client) => Context.add(Context.make(SqliteClient, client), SqlClient.SqlClient, client))
  ).pipe(Layer.provide(Reactivity.layer)) as never
