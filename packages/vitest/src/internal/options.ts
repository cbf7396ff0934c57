/** Converts the options of a layer to those of the scheduler. */
import * as ThreadHost from "effect-blocking/ThreadHost"
import * as Result from "effect/Result"
import { inspect } from "node:util"
import type { Options } from "../BlockingTest.ts"

/** Small, so that a test can fill the pool quickly, and the same on any machine. */
const platform: ThreadHost.OptionsPlatform = {
  maxThreads: 4,
  queueCapacity: 100,
  clone: (value) => structuredClone(value)
}

/** Throws a `RangeError` for invalid options. */
export const resolve = (options: Options): ThreadHost.PoolOptions => {
  const resolved = ThreadHost.resolveOptions(options, platform)
  if (Result.isSuccess(resolved)) return resolved.success.scheduler
  const { actual, expected, message, option } = resolved.failure
  throw new RangeError(
    message === undefined
      ? `BlockingTest: ${option} must be ${expected}, not ${inspect(actual, { depth: 1, breakLength: Infinity })}`
      : `BlockingTest ${message}`
  )
}
