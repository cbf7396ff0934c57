/** The interface of a backend on which the contract is tested. */
import { assert, it } from "@effect/vitest"
import { Effect, type Scope } from "effect"
import { type Blocking, JoinError, type JoinHandle, type Task } from "effect-blocking"
import { mkdtempSync, rmSync } from "node:fs"
import { tmpdir } from "node:os"
import { join } from "node:path"

/** The options that every backend supports. */
export interface PoolOptions {
  readonly maxThreads?: number
  readonly queueCapacity?: number
  readonly onFull?: "suspend" | "fail"
  readonly gracePeriod?: number
  readonly keepAlive?: number
  readonly shutdownTimeout?: number
  readonly terminateTimeout?: number
  readonly threadData?: unknown
  readonly recycle?: { readonly tasks?: number }
}

/** A running task that the test holds. */
export interface Held {
  readonly handle: JoinHandle.JoinHandle<string, never>
  /** Lets its body continue. */
  readonly release: Effect.Effect<void>
}

export interface Backend {
  readonly name: "threads" | "processes" | "BlockingTest"
  /**
   * Whether bodies run concurrently with the test: they can wait for its next step, take their input as it
   * arrives, and be terminated.
   */
  readonly real: boolean
  readonly makePool: (options: PoolOptions) => Effect.Effect<Blocking.Pool, never, Scope.Scope>
  /** Shuts the pool down before its scope closes. */
  readonly close: (pool: Blocking.Pool) => Effect.Effect<void>
  /** Ends the only thread of the pool, like a crash. */
  readonly kill: (pool: Blocking.Pool) => Effect.Effect<void>
  /** Runs a task that does not end until it is released; returns when its body has been entered. */
  readonly hold: (
    pool: Blocking.Pool,
    directory: string,
    options: Task.DerivedOptions & { readonly polite: boolean }
  ) => Effect.Effect<Held, JoinError.JoinError>
}

/** Declares a test only on the backends where its rule holds. */
export const liveIf = (holds: boolean) => (name: string, test: () => Effect.Effect<unknown, unknown>): void => {
  if (holds) it.live(name, test)
}

export const reasonOf = <A, E, R>(effect: Effect.Effect<A, E, R>) =>
  Effect.map(Effect.flip(effect), (error) => {
    if (!JoinError.isJoinError(error)) assert.fail(`not a JoinError: ${String(error)}`)
    return error.reason
  })

/** Runs a test with its own pool, which must leave nothing behind. */
export const poolOf = (backend: Backend) =>
<A, E>(
  options: PoolOptions,
  use: (pool: Blocking.Pool, directory: string) => Effect.Effect<A, E, Scope.Scope>
) =>
  Effect.acquireUseRelease(
    Effect.sync(() => mkdtempSync(join(tmpdir(), "effect-blocking-contract-"))),
    (directory) =>
      Effect.gen(function*() {
        let pool: Blocking.Pool | undefined
        const exit = yield* Effect.exit(Effect.scoped(Effect.gen(function*() {
          pool = yield* backend.makePool({ maxThreads: 1, ...options })
          return yield* use(pool, directory)
        })))
        const { openStreams, outcomes, queueDepth, running, submitted, suspended, threads } = yield* pool!.stats
        const ended = Object.values(outcomes).reduce((a, b) => a + b, 0)
        assert.deepStrictEqual(
          { threads, queueDepth, suspended, openStreams, running: running.length, ended },
          { threads: 0, queueDepth: 0, suspended: 0, openStreams: 0, running: 0, ended: submitted },
          "the pool left something behind"
        )
        return yield* exit
      }),
    (directory) => Effect.sync(() => rmSync(directory, { recursive: true }))
  )
