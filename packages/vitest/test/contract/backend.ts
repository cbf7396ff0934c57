/** Where the contract is held: what has pools. */
import { assert, it } from "@effect/vitest"
import { Effect, type Scope } from "effect"
import { type Blocking, JoinError, type JoinHandle, type Task } from "effect-blocking"
import { mkdtempSync, rmSync } from "node:fs"
import { tmpdir } from "node:os"
import { join } from "node:path"

/** The options that every backend has. */
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
  /** Lets its body go on. */
  readonly release: Effect.Effect<void>
}

export interface Backend {
  readonly name: "threads" | "processes" | "BlockingTest"
  /** Whether bodies run beside the test: they can wait for what it does next, take their input as it comes, and be cut short. */
  readonly real: boolean
  readonly makePool: (options: PoolOptions) => Effect.Effect<Blocking.Pool, never, Scope.Scope>
  /** Shuts the pool down, before its scope does. */
  readonly close: (pool: Blocking.Pool) => Effect.Effect<void>
  /** Ends the only thread of the pool, as a crash would. */
  readonly kill: (pool: Blocking.Pool) => Effect.Effect<void>
  /** Runs a task that does not end until it is released; returns when its body has been entered. */
  readonly hold: (
    pool: Blocking.Pool,
    directory: string,
    options: Task.DerivedOptions & { readonly polite: boolean }
  ) => Effect.Effect<Held, JoinError.JoinError>
}

/** A test of what does not hold on every backend: on others there is none. */
export const liveIf = (holds: boolean) => (name: string, test: () => Effect.Effect<unknown, unknown>): void => {
  if (holds) it.live(name, test)
}

export const reasonOf = <A, E, R>(effect: Effect.Effect<A, E, R>) =>
  Effect.map(Effect.flip(effect), (error) => {
    if (!JoinError.isJoinError(error)) assert.fail(`not a JoinError: ${String(error)}`)
    return error.reason
  })

/** Gives a test a pool of its own, which must leave nothing behind. */
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
