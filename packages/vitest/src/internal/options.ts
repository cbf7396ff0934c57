/** From the options of a layer to those of the scheduler. */
import { optionsProblem, type PoolOptions } from "effect-blocking/ThreadHost"
import * as Duration from "effect/Duration"
import * as Option from "effect/Option"
import type { Options } from "../BlockingTest.ts"

const optionNames = Object.keys(
  {
    maxThreads: true,
    minThreads: true,
    keepAlive: true,
    queueCapacity: true,
    onFull: true,
    shutdownTimeout: true,
    gracePeriod: true,
    terminateTimeout: true,
    threadData: true
  } satisfies Record<keyof Options, true>
)

/** Throws a `RangeError` for options that no pool can have: a test with such is wrong. */
export const resolve = (options: Options): PoolOptions => {
  const problem = optionsProblem(options, optionNames)
  if (problem !== undefined) throw new RangeError(`BlockingTest ${problem.message}`)
  const integer = (option: "minThreads" | "maxThreads" | "queueCapacity", least: number, byDefault: number): number => {
    const value = options[option] ?? byDefault
    if (Number.isSafeInteger(value) && value >= least) return value
    throw new RangeError(`BlockingTest: ${option} must be an integer of at least ${least}, not ${value}`)
  }
  const millis = (
    option: "keepAlive" | "shutdownTimeout" | "gracePeriod" | "terminateTimeout",
    byDefault: Duration.Input
  ): number => {
    const duration = Option.getOrUndefined(Duration.fromInput(options[option] ?? byDefault))
    if (duration !== undefined && !Duration.isNegative(duration)) return Duration.toMillis(duration)
    throw new RangeError(`BlockingTest: ${option} must be a duration such as "2 seconds", not ${options[option]}`)
  }
  const maxThreads = integer("maxThreads", 1, 4)
  const minThreads = integer("minThreads", 0, 0)
  if (minThreads > maxThreads) {
    throw new RangeError(`BlockingTest: minThreads must be at most maxThreads, which is ${maxThreads}`)
  }
  return {
    minThreads,
    maxThreads,
    keepAliveMillis: millis("keepAlive", "10 seconds"),
    queueCapacity: integer("queueCapacity", 0, 100),
    onFull: options.onFull ?? "suspend",
    shutdownMillis: millis("shutdownTimeout", "5 seconds"),
    graceMillis: millis("gracePeriod", "200 millis"),
    terminateMillis: millis("terminateTimeout", "1 second"),
    resourceLimits: {},
    threadData: options.threadData,
    preload: [],
    recycle: undefined
  }
}
