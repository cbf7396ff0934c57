/** From what a user may write to what the scheduler and the host need: defaults, units, ranges. */
import { optionsProblem, type PoolOptions } from "effect-blocking/ThreadHost"
import * as Duration from "effect/Duration"
import * as Effect from "effect/Effect"
import * as Option from "effect/Option"
import * as Result from "effect/Result"
import { availableParallelism } from "node:os"
import { inspect } from "node:util"
import type { Options } from "../NodeBlocking.ts"
import { InvalidOptions } from "./invalidOptions.ts"
import type { LaunchOptions } from "./launch.ts"
import { encode } from "./processValues.ts"

export interface ResolvedOptions {
  readonly scheduler: PoolOptions
  readonly isolation: "thread" | "process"
  readonly host: LaunchOptions
}

/** Libuv's own number of threads: enough to overlap a few waits on a small machine. */
const fewestMaxThreads = 4

/** Arbitrary: large enough for a burst, small enough to notice a pool that cannot keep up. */
const defaultQueueCapacity = 10_000

/** Measured: Node 24 aborts with 1 and 2 MB; from 3 on, a thread that cannot start fails by itself. */
const leastHeapMb = 4

/** Arbitrary: below that a pool would do little else. */
const shortestAgeMillis = 1000

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
    isolation: true,
    threadName: true,
    threadData: true,
    resourceLimits: true,
    env: true,
    execArgv: true,
    recycle: true,
    preload: true
  } satisfies Record<keyof Options, true>
)

const recycleNames = Object.keys(
  { tasks: true, heapMb: true, age: true } satisfies Record<keyof NonNullable<Options["recycle"]>, true>
)

const limitNames = Object.keys(
  {
    maxOldGenerationSizeMb: true,
    maxYoungGenerationSizeMb: true,
    codeRangeSizeMb: true,
    stackSizeMb: true
  } satisfies Record<keyof NonNullable<Options["resourceLimits"]>, true>
)

const isObject = (value: unknown): boolean => typeof value === "object" && value !== null && !Array.isArray(value)

const isText = (value: unknown): boolean => typeof value === "string"

const isListOfText = (value: unknown): boolean => Array.isArray(value) && value.every(isText)

const preloadExpected = "a list of tasks or of module urls (import.meta.resolve makes one)"

export const resolve = (pool: string, options: Options): Effect.Effect<ResolvedOptions, InvalidOptions> =>
  Effect.fromResult(Result.gen(function*() {
    const refuse = (option: string, expected: string, actual: unknown, problem?: string) =>
      Result.fail(
        new InvalidOptions({
          pool,
          option,
          expected,
          actual: inspect(actual, { depth: 1, breakLength: Infinity }),
          ...(problem === undefined ? {} : { problem })
        })
      )

    const known = function*(given: unknown, names: ReadonlyArray<string>, group?: string) {
      const problem = optionsProblem(given, names, group)
      if (problem === undefined) return
      return yield* refuse(problem.option ?? "", `one of ${names.join(", ")}`, given, problem.message)
    }

    const kind = function*(option: keyof Options, expected: string, is: (value: unknown) => boolean) {
      const value = options[option]
      if (value !== undefined && !is(value)) return yield* refuse(option, expected, value)
    }

    yield* known(options, optionNames)
    yield* kind("threadName", "a string", isText)
    yield* kind("env", "an object of strings", isObject)
    yield* kind("execArgv", "a list of flags, such as [\"--expose-gc\"]", isListOfText)
    yield* kind("preload", preloadExpected, Array.isArray)
    yield* kind("recycle", "an object, such as { tasks: 1000 }", isObject)
    yield* kind("resourceLimits", "an object, such as { maxOldGenerationSizeMb: 512 }", isObject)

    const integer = function*(option: "minThreads" | "maxThreads" | "queueCapacity", least: number, byDefault: number) {
      const value = options[option] ?? byDefault
      if (!Number.isSafeInteger(value) || value < least) {
        return yield* refuse(option, `an integer of at least ${least}`, value)
      }
      return value
    }

    const millisOf = function*(option: string, value: Duration.Input | undefined, byDefault: number, bounded: boolean) {
      if (value === undefined) return byDefault
      const duration = Number.isNaN(value) ? undefined : Option.getOrUndefined(Duration.fromInput(value))
      const expected = bounded
        ? "a finite duration, such as \"2 seconds\": the shutdown of the pool is bounded by it"
        : "a duration, such as \"2 seconds\""
      if (duration === undefined || Duration.isNegative(duration)) return yield* refuse(option, expected, value)
      const result = Duration.toMillis(duration)
      if (bounded && !Number.isFinite(result)) return yield* refuse(option, expected, value)
      return result
    }
    const millis = (
      option: "keepAlive" | "shutdownTimeout" | "gracePeriod" | "terminateTimeout",
      byDefault: number,
      bounded: boolean
    ) => millisOf(option, options[option], byDefault, bounded)

    const recycling = function*(recycle: Options["recycle"]) {
      if (recycle === undefined) return undefined
      yield* known(recycle, recycleNames, "recycle.")
      const { age, heapMb = Infinity, tasks = Infinity } = recycle
      if (tasks !== Infinity && !(Number.isSafeInteger(tasks) && tasks > 0)) {
        return yield* refuse("recycle.tasks", "an integer of at least 1", tasks)
      }
      if (!(typeof heapMb === "number" && heapMb > 0)) {
        return yield* refuse("recycle.heapMb", "a number of MB above 0", heapMb)
      }
      const ageMillis = yield* millisOf("recycle.age", age, Infinity, false)
      if (ageMillis < shortestAgeMillis) return yield* refuse("recycle.age", "a second at least", age)
      return { tasks, heapBytes: heapMb * 2 ** 20, ageMillis }
    }

    const maxThreads = yield* integer("maxThreads", 1, Math.max(fewestMaxThreads, availableParallelism()))
    const minThreads = yield* integer("minThreads", 0, 0)
    if (minThreads > maxThreads) {
      return yield* refuse("minThreads", `at most maxThreads, which is ${maxThreads}`, minThreads)
    }
    const onFull = options.onFull ?? "suspend"
    if (onFull !== "suspend" && onFull !== "fail") return yield* refuse("onFull", "\"suspend\" or \"fail\"", onFull)

    const isolation = options.isolation ?? "thread"
    if (isolation !== "thread" && isolation !== "process") {
      return yield* refuse("isolation", "\"thread\" or \"process\"", isolation)
    }

    const resourceLimits: Record<string, number> = {}
    yield* known(options.resourceLimits ?? {}, limitNames, "resourceLimits.")
    for (const [name, value] of Object.entries(options.resourceLimits ?? {})) {
      if (value === undefined) continue
      if (typeof value !== "number" || !(value > 0) || value === Infinity) {
        return yield* refuse(`resourceLimits.${name}`, "a number of MB above 0", value)
      }
      if (name === "maxOldGenerationSizeMb" && value < leastHeapMb) {
        return yield* refuse(
          `resourceLimits.${name}`,
          `at least ${leastHeapMb}: with less, Node ends the whole program when it starts a thread`,
          value
        )
      }
      resourceLimits[name] = value
    }

    const recycle = yield* recycling(options.recycle)

    const preload: Array<string> = []
    for (const entry of options.preload ?? []) {
      const url = typeof entry === "string" ? entry : entry?.module
      if (typeof url !== "string" || !URL.canParse(url)) {
        return yield* refuse("preload", preloadExpected, entry)
      }
      preload.push(url)
    }

    try {
      if (isolation === "process") encode(options.threadData)
      else structuredClone(options.threadData)
    } catch (error) {
      return yield* refuse("threadData", `cloneable (${String(error)})`, options.threadData)
    }

    return {
      scheduler: {
        minThreads,
        maxThreads,
        keepAliveMillis: yield* millis("keepAlive", 10_000, false),
        queueCapacity: yield* integer("queueCapacity", 0, defaultQueueCapacity),
        onFull,
        shutdownMillis: yield* millis("shutdownTimeout", 5000, true),
        graceMillis: yield* millis("gracePeriod", 200, true),
        terminateMillis: yield* millis("terminateTimeout", 1000, true),
        resourceLimits,
        threadData: options.threadData,
        preload,
        recycle
      },
      isolation,
      host: {
        threadName: options.threadName ?? pool,
        env: options.env,
        execArgv: options.execArgv,
        resourceLimits: Object.keys(resourceLimits).length === 0 ? undefined : resourceLimits
      }
    }
  }))
