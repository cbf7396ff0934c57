/** Opens a database: the options of its pools, then its connections, then the client on them. */
import type * as NodeBlocking from "@effect-blocking/platform-node/NodeBlocking"
import type * as Blocking from "effect-blocking/Blocking"
import * as Effect from "effect/Effect"
import type { Reactivity } from "effect/reactivity/Reactivity"
import type * as Scope from "effect/Scope"
import { basename } from "node:path"
import type { Options, SqliteClient } from "../../SqliteClient.ts"
import * as commitCells from "../thread/commitCells.ts"
import type { ConnectionOptions } from "../thread/connection.ts"
import * as tasks from "../thread/statements.ts"
import { make } from "./client.ts"
import { Database, type Pools } from "./database.ts"
import { causeOf, describe, isFailure, type Problem } from "./errors.ts"
import { SqliteOpenError } from "./openError.ts"
import { resolve, type ResolvedOptions } from "./options.ts"

/** Everything that is known before a thread starts. */
export interface Plan {
  readonly options: Options
  readonly resolved: ResolvedOptions
  readonly cells: SharedArrayBuffer
  /** Names the metrics and spans. */
  readonly key: string
  readonly writer: NodeBlocking.Options
  /** `undefined` if one connection both reads and writes. */
  readonly readers: NodeBlocking.Options | undefined
}

export const plan = (options: Options): Effect.Effect<Plan, NodeBlocking.InvalidOptions> =>
  Effect.map(resolve(options), (resolved) => {
    const { filename, isolation, readers, readonly } = resolved
    const cells = commitCells.make()
    const shared = isolation === "process" ? undefined : cells
    const pool = (threads: number, readOnly: boolean): NodeBlocking.Options => ({
      isolation,
      queueCapacity: resolved.queueCapacity,
      onFull: resolved.onFull,
      // All threads start with the pool: no read waits for the start of one.
      minThreads: threads,
      maxThreads: threads,
      threadData: connectionOptions(resolved, shared, readOnly),
      preload: [tasks.read],
      // A statement that does not see the stop flag is inside SQLite: only the end of the thread stops it.
      gracePeriod: 100,
      terminateTimeout: 200
    })
    return {
      options,
      resolved,
      cells,
      key: `sqlite/${basename(filename)}`,
      writer: pool(1, readonly),
      readers: readers === 0 ? undefined : pool(readers, true)
    }
  })

export const open = Effect.fnUntraced(function*(
  { cells, options, resolved }: Plan,
  pools: Pools
): Effect.fn.Return<SqliteClient, SqliteOpenError, Scope.Scope | Reactivity> {
  const database = new Database(pools, resolved, cells)
  const opened = (pool: Blocking.Pool) =>
    database.whileBusy(Effect.flatMap(pool.run(tasks.open), (reply) => database.valueOf(reply)))
  const { readers, writer } = pools
  // The writer opens first: it creates the file.
  yield* Effect.andThen(
    opened(writer),
    // Otherwise the first reads would wait for their threads to start.
    readers === undefined ? Effect.void : Effect.andThen(readers.prewarm(resolved.readers), opened(readers))
  ).pipe(Effect.mapError((problem) => openError(resolved.filename, problem)))
  return yield* make(database, options)
})

const connectionOptions = (
  { autoInvalidate, cacheSize, filename, init, journalSizeLimit, synchronous, wal }: ResolvedOptions,
  cells: SharedArrayBuffer | undefined,
  readOnly: boolean
): ConnectionOptions => ({
  filename,
  readOnly,
  cacheSize,
  init,
  cells,
  trackWrites: autoInvalidate && !readOnly,
  pragmas: readOnly
    ? []
    : [
      ...(wal ? ["journal_mode = WAL", `journal_size_limit = ${journalSizeLimit}`] : []),
      `synchronous = ${synchronous}`
    ]
})

const openError = (filename: string, problem: Problem): SqliteOpenError =>
  isFailure(problem)
    ? new SqliteOpenError({ filename, detail: describe(problem, undefined), cause: causeOf(problem) })
    : new SqliteOpenError({ filename, detail: problem.message, cause: problem })
