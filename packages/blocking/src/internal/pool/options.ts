/**
 * The options of a pool on any platform: their names, types and ranges, and their form for the scheduler. The
 * platform supplies the defaults that differ.
 */
import * as Result from "effect/Result"
import * as Schema from "effect/Schema"
import type { SchedulerOptions } from "../scheduler/options.ts"
import { described, group, integer, list, millis, oneOf, type OptionsProblem, validator } from "../task/options.ts"
import { describe } from "../wire/cloneable.ts"

/** Validated options: those of the scheduler, and those of the host unchanged. */
export interface ResolvedOptions {
  readonly scheduler: SchedulerOptions
  readonly isolation: "thread" | "process"
  readonly threadName: string | undefined
  readonly env: Readonly<Record<string, string | undefined>> | undefined
  readonly execArgv: ReadonlyArray<string> | undefined
}

/** The properties in which platforms differ. */
export interface OptionsPlatform {
  readonly maxThreads: number
  readonly queueCapacity: number
  /** Throws for a value that cannot be sent to a thread or a process. */
  readonly clone: (value: unknown, isolation: "thread" | "process") => unknown
}

/** Measured: Node 24 aborts with 1 and 2 MB. From 3 MB on, only the thread fails to start. */
const leastHeapMb = 4

/** Arbitrary: with a shorter age, a pool would mostly replace threads. */
const shortestAgeMillis = 1000

const bounded = millis(
  "a finite duration (it bounds the shutdown of the pool), such as \"2 seconds\"",
  Number.isFinite
)

const megabytes = described(Schema.Finite.check(Schema.isGreaterThan(0)), "a number of MB above 0")

const isText = (value: unknown): value is string => typeof value === "string"

/** A number in a range, or `Infinity` for "never". */
const limit = (isRight: (value: number) => boolean, expected: string) =>
  Schema.declare(
    (value): value is number => typeof value === "number" && (value === Infinity || isRight(value)),
    { expected }
  )

const urlOf = (entry: unknown): string | undefined => {
  const url = isText(entry) ? entry : (entry as { readonly module?: unknown } | null | undefined)?.module
  return isText(url) && URL.canParse(url) ? url : undefined
}

declare const URL: { readonly canParse: (url: string) => boolean }

const validate = validator({
  maxThreads: Schema.optional(integer(1)),
  minThreads: Schema.optional(integer(0)),
  keepAlive: Schema.optional(millis()),
  queueCapacity: Schema.optional(integer(0)),
  onFull: Schema.optional(oneOf("suspend", "fail")),
  shutdownTimeout: Schema.optional(bounded),
  gracePeriod: Schema.optional(bounded),
  terminateTimeout: Schema.optional(bounded),
  isolation: Schema.optional(oneOf("thread", "process")),
  threadName: Schema.optional(described(Schema.String, "a string")),
  threadData: Schema.optional(Schema.Unknown),
  resourceLimits: Schema.optional(group("{ maxOldGenerationSizeMb: 512 }", {
    maxOldGenerationSizeMb: Schema.optional(described(
      Schema.Finite.check(Schema.isGreaterThanOrEqualTo(leastHeapMb)),
      `a number of MB, at least ${leastHeapMb} (with less, Node aborts the whole program when it starts a thread)`
    )),
    maxYoungGenerationSizeMb: Schema.optional(megabytes),
    codeRangeSizeMb: Schema.optional(megabytes),
    stackSizeMb: Schema.optional(megabytes)
  })),
  env: Schema.optional(described(
    Schema.Record(Schema.String, Schema.Union([Schema.String, Schema.Undefined])),
    "an object of strings"
  )),
  execArgv: Schema.optional(list(isText, "a list of flags, such as [\"--expose-gc\"]")),
  recycle: Schema.optional(group("{ tasks: 1000 }", {
    tasks: Schema.optional(limit((value) => Number.isSafeInteger(value) && value > 0, "an integer of at least 1")),
    heapMb: Schema.optional(limit((value) => value > 0, "a number of MB above 0")),
    age: Schema.optional(millis("a duration of at least a second", (age) => age >= shortestAgeMillis))
  })),
  preload: Schema.optional(list(
    (entry): entry is unknown => urlOf(entry) !== undefined,
    "a list of tasks or of module urls (import.meta.resolve makes one)"
  ))
})

export const resolve = (
  options: unknown,
  platform: OptionsPlatform
): Result.Result<ResolvedOptions, OptionsProblem> =>
  Result.flatMap(validate(options), (given) => {
    const { maxThreads = platform.maxThreads, minThreads = 0, isolation = "thread", recycle, threadData } = given
    if (minThreads > maxThreads) {
      return refuse("minThreads", `at most maxThreads, which is ${maxThreads}`, minThreads)
    }
    try {
      platform.clone(threadData, isolation)
    } catch (error) {
      return refuse("threadData", `cloneable (${describe(error)})`, threadData)
    }
    return Result.succeed<ResolvedOptions>({
      scheduler: {
        minThreads,
        maxThreads,
        keepAliveMillis: given.keepAlive ?? 10_000,
        queueCapacity: given.queueCapacity ?? platform.queueCapacity,
        onFull: given.onFull ?? "suspend",
        shutdownMillis: given.shutdownTimeout ?? 5000,
        graceMillis: given.gracePeriod ?? 200,
        terminateMillis: given.terminateTimeout ?? 1000,
        resourceLimits: definedOnly(given.resourceLimits ?? {}),
        threadData,
        preload: (given.preload ?? []).map((entry) => urlOf(entry)!),
        recycle: recycle && {
          tasks: recycle.tasks ?? Infinity,
          heapBytes: (recycle.heapMb ?? Infinity) * 2 ** 20,
          ageMillis: recycle.age ?? Infinity
        }
      },
      isolation,
      threadName: given.threadName,
      env: given.env,
      execArgv: given.execArgv
    })
  })

const refuse = (option: string, expected: string, actual: unknown) =>
  Result.fail<OptionsProblem>({ option, expected, actual, message: undefined })

const definedOnly = (limits: Readonly<Record<string, number | undefined>>): Readonly<Record<string, number>> =>
  Object.fromEntries(Object.entries(limits).filter((entry): entry is [string, number] => entry[1] !== undefined))
