/** A pool of real threads for one test; asserts that it leaves nothing behind. */
import { NodeBlocking } from "@effect-blocking/platform-node"
import { assert } from "@effect/vitest"
import { Effect, Exit, Logger, Scope } from "effect"
import type { Blocking, JoinError } from "effect-blocking"

export const withPool = <A, E>(
  options: NodeBlocking.Options,
  use: (pool: Blocking.Pool) => Effect.Effect<A, E, Scope.Scope>
): Effect.Effect<A, E | NodeBlocking.InvalidOptions> =>
  Effect.gen(function*() {
    let pool: Blocking.Pool | undefined
    const result = yield* Effect.exit(Effect.scoped(
      Effect.gen(function*() {
        pool = yield* NodeBlocking.make("test", { maxThreads: 2, ...options })
        return yield* use(pool)
      })
    ))
    if (pool !== undefined) yield* assertQuiescent(pool)
    return yield* result
  }).pipe(Effect.provide(Logger.layer([])))

/** A pool that the test itself closes, and its log. */
export const closeable = (options: NodeBlocking.Options) =>
  Effect.gen(function*() {
    const logged: Array<string> = []
    const logger = Logger.make(({ message }) => {
      logged.push(String(message))
    })
    const scope = yield* Scope.make()
    const withLogger = Effect.provide(Logger.layer([logger]))
    const pool = yield* NodeBlocking.make("test", options).pipe(Scope.provide(scope), withLogger)
    const close = withLogger(Scope.close(scope, Exit.void))
    return { pool, close, logged }
  })

/** After the close of a pool: no thread, nothing queued, every submission with one outcome. */
export const assertQuiescent = Effect.fnUntraced(function*(pool: Blocking.Pool, stuckThreads = 0) {
  const { outcomes, queueDepth, running, stuckThreads: stuck, submitted, suspended, threads } = yield* pool.stats
  const ended = Object.values(outcomes).reduce((a, b) => a + b, 0)
  assert.deepStrictEqual(
    { threads, queueDepth, suspended, stuck, running: running.length, ended },
    { threads: 0, queueDepth: 0, suspended: 0, stuck: stuckThreads, running: stuckThreads, ended: submitted }
  )
})

/** The reason of a `JoinError`, or a failed assertion. */
export const reasonOf = <A, E, R>(effect: Effect.Effect<A, E, R>) =>
  Effect.map(Effect.flip(effect), (error) => {
    const joinError = error as { readonly _tag?: string; readonly reason?: unknown }
    assert.strictEqual(joinError._tag, "JoinError")
    return joinError.reason as JoinError.JoinErrorReason
  })
