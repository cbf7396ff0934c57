/**
 * The options of a pool, whatever its threads are: their names, kinds and ranges, and what
 * the scheduler needs of them. Defaults that differ are the platform's.
 */
import * as Result from "effect/Result"
import * as Schema from "effect/Schema"
import type { SchedulerOptions } from "../scheduler/options.ts"
import { described, group, integer, list, millis, oneOf, type OptionsProblem, validator } from "../task/options.ts"
import { describe } from "../wire/cloneable.ts"

/** Options that were validated: those of the scheduler, and those of the host as they were given. */
export interface ResolvedOptions {
  readonly scheduler: SchedulerOptions
  readonly isolation: "thread" | "process"
  readonly threadName: string | undefined
  readonly env: Readonly<Record<string, string | undefined>> | undefined
  readonly execArgv: ReadonlyArray<string> | undefined
}

/** In what platforms differ. */
export interface OptionsPlatform {
  readonly maxThreads: number
  readonly queueCapacity: number
  /** Throws for what cannot be given to a thread, or a process. */
  readonly clone: (value: unknown, isolation: "thread" | "process") => unknown
}

/** Measured: Node 24 aborts with 1 and 2 MB; from 3 on, a thread that cannot start fails by itself. */
const leastHeapMb = 4

/** Arbitrary: below that a pool would do little else. */
const shortestAgeMillis = 1000

const bounded = millis(
  "a finite duration, such as \"2 seconds\": the shutdown of the pool is bounded by it",
  Number.isFinite
)

const megabytes = described(Schema.Finite.check(Schema.isGreaterThan(0)), "a number of MB above 0")

const isText = (value: unknown): value is string => typeof value === "string"

/** A number that says "never" if it is infinite. */
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
      `a number of MB, at least ${leastHeapMb}: with less, Node ends the whole program when it starts a thread`
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
