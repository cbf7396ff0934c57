/** Resolves the user's options to those of the scheduler and the host. */
import * as ThreadHost from "effect-blocking/ThreadHost"
import * as Effect from "effect/Effect"
import * as Result from "effect/Result"
import { availableParallelism } from "node:os"
import { inspect } from "node:util"
import type { Options } from "../NodeBlocking.ts"
import { InvalidOptions } from "./invalidOptions.ts"
import type { LaunchOptions } from "./launch.ts"
import { encode } from "./processValues.ts"

export interface ResolvedOptions {
  readonly scheduler: ThreadHost.PoolOptions
  readonly isolation: "thread" | "process"
  readonly host: LaunchOptions
}

/** Libuv's own number of threads: enough to overlap a few waits on a small machine. */
const fewestMaxThreads = 4

/** Arbitrary: large enough for a burst, small enough to notice a pool that cannot keep up. */
const defaultQueueCapacity = 10_000

export const resolve = (pool: string, options: Options): Effect.Effect<ResolvedOptions, InvalidOptions> =>
  Effect.suspend(() => {
    const resolved = ThreadHost.resolveOptions(options, {
      maxThreads: Math.max(fewestMaxThreads, availableParallelism()),
      queueCapacity: defaultQueueCapacity,
      clone: (value, isolation) => isolation === "process" ? encode(value) : structuredClone(value)
    })
    if (Result.isFailure(resolved)) return Effect.fail(invalid(pool, resolved.failure))
    const { env, execArgv, isolation, scheduler, threadName = pool } = resolved.success
    const { resourceLimits } = scheduler
    return Effect.succeed({
      scheduler,
      isolation,
      host: {
        threadName,
        env,
        execArgv,
        resourceLimits: Object.keys(resourceLimits).length === 0 ? undefined : resourceLimits
      }
    })
  })

const invalid = (pool: string, { actual, expected, message, option }: ThreadHost.OptionsProblem): InvalidOptions =>
  new InvalidOptions({
    pool,
    option,
    expected,
    actual: inspect(actual, { depth: 1, breakLength: Infinity }),
    ...(message === undefined ? {} : { problem: message })
  })
