/**
 * The storage of a farm: its submitted tasks, and the list of its runners.
 *
 * The queue is Effect's `PersistedQueue`, with its locks, redelivery and retries. Two more tables hold
 * the receipts and the runners. All programs of a farm use the same storage.
 *
 * @module
 * @since 0.1.0
 */
import * as Context from "effect/Context"
import * as Duration from "effect/Duration"
import * as Effect from "effect/Effect"
import * as Layer from "effect/Layer"
import * as PersistedQueue from "effect/persistence/PersistedQueue"
import * as Schedule from "effect/Schedule"
import type * as Scope from "effect/Scope"
import type * as SqlClient from "effect/sql/SqlClient"
import { SqlError } from "effect/sql/SqlError"
import type { InvalidOptions } from "./internal/invalidOptions.ts"
import { type ResolvedStorage, resolveStorage, storageDefaults } from "./internal/options.ts"
import { type Parts, partsKey } from "./internal/parts.ts"
import type { Receipts } from "./internal/receipts.ts"
import { makeMemory } from "./internal/receiptsMemory.ts"
import { makeSql } from "./internal/receiptsSql.ts"
import { makeWaiters } from "./internal/waiters.ts"

// -----------------------------------------------------------------------------
// Models
// -----------------------------------------------------------------------------

/**
 * The options of a storage in a SQL database.
 *
 * @category models
 * @since 0.1.0
 */
export interface Options {
  /** The prefix of the table names. Defaults to `"effect_blocking"`. */
  readonly prefix?: string | undefined
  /**
   * The time between two queries: for work, by a runner with a free thread, and for results, by a
   * program that waits for receipts. Changes by the same program are seen at once. Defaults to 100
   * milliseconds.
   */
  readonly pollInterval?: Duration.Input | undefined
  /**
   * The time after which other runners take over the tasks of a runner that has died or was cut off.
   * Runners renew their locks three times within it. Whole seconds, and the same for all programs of
   * the farm. Defaults to 5 seconds.
   */
  readonly lockExpiration?: Duration.Input | undefined
  /**
   * The time that a settled task is kept, with its result and its key. Parked tasks stay. Defaults to
   * 30 days.
   */
  readonly timeToLive?: Duration.Input | undefined
}

// -----------------------------------------------------------------------------
// Services
// -----------------------------------------------------------------------------

/**
 * Service of the storage.
 *
 * @category services
 * @since 0.1.0
 */
export class ClusterStorage extends Context.Service<ClusterStorage, {
  /** Opaque: for farms. */
  readonly [partsKey]: Parts
}>()("@effect-blocking/cluster/ClusterStorage") {}

// -----------------------------------------------------------------------------
// Layers
// -----------------------------------------------------------------------------

/** Programs that start together create the same tables at the same time: the ones that fail try again. */
const makingTables = <A, E, R>(self: Effect.Effect<A, E, R>): Effect.Effect<A, SqlError, R> =>
  self.pipe(
    Effect.sandbox,
    Effect.retry({ times: 40, schedule: Schedule.spaced(50) }),
    Effect.catch((cause) => {
      const error = cause.reasons.flatMap((reason) => reason._tag === "Fail" ? [reason.error] : [])
        .find((error) => error instanceof SqlError)
      return error === undefined ? Effect.die(cause) : Effect.fail(error)
    })
  )

/** How often a lock is renewed before it expires. */
const renewals = 3

const assemble = Effect.fnUntraced(function*(
  queueStore: PersistedQueue.PersistedQueueStore["Service"],
  receipts: Receipts,
  { expirationMillis, pollMillis, timeToLiveMillis }: ResolvedStorage
): Effect.fn.Return<ClusterStorage["Service"], never, Scope.Scope> {
  const queues = yield* Effect.provideService(
    PersistedQueue.makeFactory,
    PersistedQueue.PersistedQueueStore,
    queueStore
  )
  const waiters = yield* makeWaiters(receipts, pollMillis)
  const timeToLive = Duration.millis(timeToLiveMillis)
  // Every program does it: deleting twice is harmless.
  yield* Effect.all([
    queueStore.cleanup({ timeToLive, failedTimeToLive: undefined }),
    receipts.forget(timeToLiveMillis)
  ]).pipe(
    Effect.catchCause((cause) => Effect.logWarning("Settled tasks older than timeToLive could not be removed", cause)),
    Effect.repeat(Schedule.spaced("1 hour")),
    Effect.delay("1 minute"),
    Effect.interruptible,
    Effect.forkScoped
  )
  return ClusterStorage.of({ [partsKey]: { queues, receipts, waiters, expirationMillis } })
})

/**
 * Layer of a storage in a SQL database: SQLite for the programs of one host, PostgreSQL for several hosts.
 *
 * **Details**
 *
 * Creates its tables. Fails with `InvalidOptions` if an option is invalid. With the same `SqlClient`, a `submit` inside `sql.withTransaction` is a part of
 * that transaction: if it is rolled back, the task was never submitted.
 *
 * **Example** (Programs of one host, without a server)
 *
 * ```ts
 * import { ClusterStorage } from "@effect-blocking/cluster"
 * import { SqliteClient } from "@effect-blocking/sqlite"
 * import { Layer } from "effect"
 *
 * export const storage = ClusterStorage.layerSql().pipe(Layer.provide(SqliteClient.layer({ filename: "farm.db" })))
 * ```
 *
 * @category layers
 * @since 0.1.0
 */
export const layerSql: {
  (): Layer.Layer<ClusterStorage, SqlError, SqlClient.SqlClient>
  (options: Options | undefined): Layer.Layer<ClusterStorage, InvalidOptions | SqlError, SqlClient.SqlClient>
} = (options?: Options): Layer.Layer<ClusterStorage, SqlError, SqlClient.SqlClient> =>
  // Without options, nothing can be invalid.
  Layer.effect(
    ClusterStorage,
    Effect.gen(function*() {
      const plan = yield* resolveStorage("layerSql", options)
      const queueStore = yield* makingTables(PersistedQueue.makeStoreSql({
        tableName: `${plan.prefix}_queue`,
        pollInterval: plan.pollMillis,
        lockExpiration: plan.expirationMillis,
        lockRefreshInterval: plan.expirationMillis / renewals
      }))
      return yield* assemble(queueStore, yield* makingTables(makeSql(plan.prefix)), plan)
    })
  ) as Layer.Layer<ClusterStorage, SqlError, SqlClient.SqlClient>

/**
 * Layer of a storage with another queue of Effect's, such as `PersistedQueue.layerStoreRedis`, and the
 * receipts in a SQL database.
 *
 * **Details**
 *
 * The queue has its own poll interval and locks: give it the same as these options.
 *
 * **Gotchas**
 *
 * If the queue loses its data, the tasks stay pending. Submit them again under the same keys, which
 * queues them again.
 *
 * @category layers
 * @since 0.1.0
 */
export const layerSqlReceipts = (
  options?: Options
): Layer.Layer<
  ClusterStorage,
  InvalidOptions | SqlError,
  SqlClient.SqlClient | PersistedQueue.PersistedQueueStore
> =>
  Layer.effect(
    ClusterStorage,
    Effect.gen(function*() {
      const plan = yield* resolveStorage("layerSqlReceipts", options)
      const receipts = yield* makingTables(makeSql(plan.prefix))
      return yield* assemble(yield* PersistedQueue.PersistedQueueStore, receipts, plan)
    })
  )

/**
 * Layer of a storage in the memory of this program: for tests, and for tasks that may end with it.
 *
 * @category layers
 * @since 0.1.0
 */
export const layerMemory: Layer.Layer<ClusterStorage> = Layer.effect(
  ClusterStorage,
  Effect.gen(function*() {
    const queueStore = yield* PersistedQueue.PersistedQueueStore
    return yield* assemble(queueStore, makeMemory(), storageDefaults)
  })
).pipe(Layer.provide(PersistedQueue.layerStoreMemory))
