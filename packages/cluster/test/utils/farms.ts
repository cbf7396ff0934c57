/** Farms for tests. Programs on one database are layers here, each with its own connection and pool. */
import { ClusterPool, type ClusterPoolError, ClusterStorage } from "@effect-blocking/cluster"
import { NodeBlocking } from "@effect-blocking/platform-node"
import { SqliteClient } from "@effect-blocking/sqlite"
import { Cause, Effect, Exit, Layer, Schedule, type Scope } from "effect"
import { existsSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from "node:fs"
import { tmpdir } from "node:os"
import { join } from "node:path"
import * as tasks from "../fixtures/tasks.ts"

export const all = [
  tasks.square,
  tasks.tomorrow,
  tasks.ping,
  tasks.panics,
  tasks.gated,
  tasks.flaky,
  tasks.slow,
  tasks.shortOrGated,
  tasks.wrong
] as const

export class Farm extends ClusterPool.Service<Farm>()("test/Farm", { tasks: all }) {}

export const folder: Effect.Effect<string, never, Scope.Scope> = Effect.acquireRelease(
  Effect.sync(() => mkdtempSync(join(tmpdir(), "effect-blocking-cluster-"))),
  (path) => Effect.sync(() => rmSync(path, { recursive: true, force: true, maxRetries: 5 }))
)

/** Short, so that no test waits for long. No test measures it. */
export const storageOptions: ClusterStorage.Options = { pollInterval: 20, lockExpiration: "1 second" }

export const storage = (folder: string, options?: ClusterStorage.Options) =>
  ClusterStorage.layerSql({ ...storageOptions, ...options }).pipe(
    Layer.provideMerge(SqliteClient.layer({ filename: join(folder, "farm.db"), synchronous: "normal", readers: 1 })),
    Layer.orDie
  )

/** Short, because tests wait for retries. */
export const retrySchedule = Schedule.spaced(1)

export const runner = (
  folder: string,
  { threads = 2, ...options }: ClusterPool.RunnerOptions & { readonly threads?: number } = {}
) =>
  Farm.layerRunner({ retrySchedule, shutdownTimeout: 0, ...options }).pipe(
    Layer.provide(NodeBlocking.layer({ maxThreads: threads, gracePeriod: "1 second" })),
    Layer.provideMerge(storage(folder)),
    Layer.orDie
  )

export const client = (folder: string, options?: ClusterPool.ClientOptions) =>
  Farm.layerClient(options).pipe(Layer.provideMerge(storage(folder)), Layer.orDie)

/** The reason of the `ClusterPoolError` that an effect must fail with. */
export const reasonOf = <A, E, R>(
  self: Effect.Effect<A, E, R>
): Effect.Effect<ClusterPoolError.ClusterPoolErrorReason, never, R> =>
  Effect.map(Effect.exit(self), (exit) => {
    if (Exit.isSuccess(exit)) throw new Error(`it succeeded with ${String(exit.value)}`)
    const error = Cause.squash(exit.cause) as ClusterPoolError.ClusterPoolError
    if (error._tag !== "ClusterPoolError") throw error
    return error.reason
  })

/** Waits until another program or thread has made a condition true. */
export const until = (condition: () => boolean): Effect.Effect<void> =>
  Effect.asVoid(Effect.repeat(Effect.sync(condition), { until: (is) => is, schedule: Schedule.spaced(5) }))

export const linesOf = (file: string): ReadonlyArray<string> =>
  existsSync(file) ? readFileSync(file, "utf8").trim().split("\n") : []

export const open = (gate: string): Effect.Effect<void> => Effect.sync(() => writeFileSync(gate, ""))
