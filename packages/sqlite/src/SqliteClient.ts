/**
 * A client for SQLite, as `effect/sql` has it, that never blocks the event loop: statements run
 * on threads, one that writes and some that read.
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
 * What a client can do beyond `SqlClient`.
 *
 * @category models
 * @since 0.1.0
 */
export interface SqliteClient extends SqlClient.SqlClient {
  /**
   * Runs an effect in a transaction that only reads: all its statements see the database as it is
   * at the first of them, on one reader, while the writer goes on.
   */
  readonly readTransaction: <A, E, R>(self: Effect.Effect<A, E, R>) => Effect.Effect<A, E | SqlError, R>
  /**
   * Runs statements in a transaction of their own and in one trip to the writer, and gives the
   * rows of each. In a transaction they are a part of it.
   */
  readonly batch: <const Statements extends ReadonlyArray<Statement<unknown>>>(
    statements: Statements
  ) => Effect.Effect<BatchResults<Statements>, SqlError>
  /**
   * Runs a body beside the connection of the writer, in a transaction of its own and in one trip.
   * In a transaction it is a part of it, behind a savepoint.
   */
  readonly transact: <Args extends ReadonlyArray<unknown>, A, E>(
    task: SqliteTask<Args, A, E>,
    ...args: { [K in keyof Args]: Args[K] }
  ) => Effect.Effect<A, E | SqlError>
  /**
   * Copies the database, as it is at one moment, to a file, while reads and writes go on. A file
   * of that name is replaced when the copy is whole.
   */
  readonly backup: (destination: string) => Effect.Effect<void, SqlError>
  /** Writes what the WAL holds into the database. Defaults to `"passive"`. */
  readonly checkpoint: (mode?: CheckpointMode) => Effect.Effect<Checkpoint, SqlError>
  /** What the threads do, and how large the WAL is. */
  readonly stats: Effect.Effect<Stats>
  /** SQLite has no `UPDATE … FROM (VALUES …)` with names. */
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
 * Whom a checkpoint waits for: nobody, the writers, the readers as well, or those and then the WAL
 * is emptied.
 *
 * @category models
 * @since 0.1.0
 */
export type CheckpointMode = "passive" | "full" | "restart" | "truncate"

/**
 * What a checkpoint has done.
 *
 * @category models
 * @since 0.1.0
 */
export interface Checkpoint {
  /** Whether everything that was in the WAL is in the database now. */
  readonly complete: boolean
  /** The pages in the WAL; -1 without one. */
  readonly pages: number
  readonly checkpointedPages: number
}

/**
 * What the threads of a client do.
 *
 * @category models
 * @since 0.1.0
 */
export interface Stats {
  readonly writer: Blocking.PoolStats
  /** `undefined`: one connection does all. */
  readonly readers: Blocking.PoolStats | undefined
  readonly walBytes: number
}

/**
 * How a database is opened.
 *
 * @category models
 * @since 0.1.0
 */
export interface Options {
  /** The path of the database, or `":memory:"`. */
  readonly filename: string
  /** Whether nothing can be written. Defaults to `false`. */
  readonly readonly?: boolean | undefined
  /**
   * Connections that read, each on a thread of its own. 0: one connection does all, as it does for
   * a database in memory. Defaults to one less than the cores, but at least 2 and at most 4.
   */
  readonly readers?: number | undefined
  /**
   * What a connection runs on. `"process"`: a write that is interrupted, or over its time limit,
   * gives the lock back at once, because its process is killed. Defaults to `"thread"`.
   */
  readonly isolation?: "thread" | "process" | undefined
  /** Statements that stay prepared in each connection. Defaults to 200. */
  readonly prepareCacheSize?: number | undefined
  /** How long a lock of another process is waited for. No thread waits. Defaults to 5 seconds. */
  readonly busyTimeout?: Duration.Input | undefined
  /** Keeps SQLite's rollback journal, with which readers and the writer wait for each other. Defaults to `false`. */
  readonly disableWAL?: boolean | undefined
  /**
   * `"full"`: a commit is on the disk when it is told. `"normal"`: a commit that was told outlives
   * the program, and not a loss of power, and is told much sooner. Defaults to `"full"`.
   */
  readonly synchronous?: "normal" | "full" | undefined
  /**
   * The url of a module whose default export is called with each new connection (`DatabaseSync` of
   * `node:sqlite`), in its thread: for functions, extensions, pragmas and ATTACH.
   */
  readonly init?: string | URL | undefined
  /** The most statements that wait for the writer, and for a reader. Defaults to 10 000 each. */
  readonly queueCapacity?: number | undefined
  /**
   * What happens to a statement when so many wait: its fiber is suspended until there is room, or it
   * fails with `ConnectionError`, of which `cause` is a `JoinError` with reason `QueueFull`.
   * Defaults to `"suspend"`.
   */
  readonly onFull?: "suspend" | "fail" | undefined
  /**
   * How long one statement may take, waiting for its thread included. No limit by default, nor
   * ever for those that cannot be taken back, such as VACUUM and PRAGMA.
   */
  readonly statementTimeLimit?: Duration.Input | undefined
  /** How long a stream may be open, or without a pull: it keeps the WAL from being emptied. Defaults to 10 minutes. */
  readonly streamTimeLimit?: Duration.Input | undefined
  /** How many bytes of WAL are kept: beyond, it is emptied as soon as no reader needs it. Defaults to 64 MB. */
  readonly journalSizeLimit?: number | undefined
  /**
   * Whether `Reactivity` is told of each table that was written, by its name, behind the commit.
   * Needs Node 24.10. Defaults to `false`.
   */
  readonly autoInvalidate?: boolean | undefined
  /** Put on the span of each statement. */
  readonly spanAttributes?: Readonly<Record<string, unknown>> | undefined
  /** From names in queries to names of columns, as `String.camelToSnake`. */
  readonly transformQueryNames?: ((name: string) => string) | undefined
  /** From names of columns to those in results, as `String.snakeToCamel`. */
  readonly transformResultNames?: ((name: string) => string) | undefined
}

// -----------------------------------------------------------------------------
// Errors
// -----------------------------------------------------------------------------

export {
  /**
   * The database was not opened: there is no such folder, it may not be read, it is none, or its
   * `init` module has failed.
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
 * Service of the client. `SqlClient` of `effect/sql` is the same one.
 *
 * @category services
 * @since 0.1.0
 */
export const SqliteClient = Context.Service<SqliteClient>("@effect-blocking/sqlite/SqliteClient")

// -----------------------------------------------------------------------------
// Constructors
// -----------------------------------------------------------------------------

/**
 * Opens a database for as long as the scope lives.
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
  // The writer first, so that it is the last to be released.
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
 * Reads run on `readers` threads and writes on one, so that they do not wait for each other; a
 * statement goes where it belongs by its first word. What was written is seen by each read that
 * begins behind it. When the layer is released, statements that run are given 5 seconds.
 *
 * **Gotchas**
 *
 * ATTACH, pragmas and temporary tables concern the connection that runs them, which is the writer:
 * use `init`, or a transaction.
 *
 * **Example** (A table, a row, and what is in it)
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
 * Layer of the client, of which each option can come from `Config`.
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
 * Provides a client as both services.
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
