/** Checks the options of layers, and fills in the defaults. */
import * as Duration from "effect/Duration"
import * as Effect from "effect/Effect"
import * as Option from "effect/Option"
import type * as Schedule from "effect/Schedule"
import { inspect } from "node:util"
import type { ClientOptions, ListenOptions, RunnerOptions } from "../ClusterPool.ts"
import type { Options as StorageOptions } from "../ClusterStorage.ts"
import { InvalidOptions } from "./invalidOptions.ts"

export interface ResolvedClient {
  readonly maxPayload: number
  readonly patienceMillis: number
}

export interface ResolvedRunner extends ResolvedClient {
  /** The pool's `maxThreads` if it is not given. */
  readonly concurrency: number | undefined
  readonly maxAttempts: number
  readonly shutdownMillis: number
  readonly incompatibleMillis: number
  readonly retrySchedule: Schedule.Schedule<unknown, number> | undefined
  readonly listen: Required<Omit<ListenOptions, "advertise">> & Pick<ListenOptions, "advertise"> | false
}

export interface ResolvedStorage {
  readonly prefix: string
  readonly pollMillis: number
  readonly expirationMillis: number
  readonly timeToLiveMillis: number
}

export const resolveClient = (
  farm: string,
  options: ClientOptions | undefined
): Effect.Effect<ResolvedClient, InvalidOptions> =>
  checked(`layerClient of farm "${farm}"`, options, clientNames, clientOf)

export const resolveRunner = (
  layer: "layerLocal" | "layerRunner",
  farm: string,
  options: Omit<RunnerOptions, "pool"> | undefined
): Effect.Effect<ResolvedRunner, InvalidOptions> =>
  checked(
    `${layer} of farm "${farm}"`,
    options,
    layer === "layerLocal" ? localNames : runnerNames,
    (options, check) => ({
      ...clientOf(options, check),
      concurrency: check.integer("concurrency", options.concurrency, 1),
      maxAttempts: check.integer("maxAttempts", options.maxAttempts, 1) ?? 3,
      shutdownMillis: check.millis("shutdownTimeout", options.shutdownTimeout) ?? 5000,
      incompatibleMillis: check.millis("incompatibleTimeout", options.incompatibleTimeout, true) ?? 300_000,
      retrySchedule: options.retrySchedule,
      listen: options.listen === false ? false : listenOf(options.listen ?? {}, check)
    })
  )

export const resolveStorage = (
  layer: "layerSql" | "layerSqlReceipts",
  options: StorageOptions | undefined
): Effect.Effect<ResolvedStorage, InvalidOptions> =>
  checked(`ClusterStorage.${layer}`, options, storageNames, (options, check) => {
    const { prefix = storageDefaults.prefix } = options
    if (!(typeof prefix === "string" && /^[a-z_]\w*$/i.test(prefix))) {
      throw check.invalid("prefix", "letters, digits and underscores, as a table's name has them", prefix)
    }
    const expirationMillis = check.millis("lockExpiration", options.lockExpiration) ?? storageDefaults.expirationMillis
    // Databases keep the time of a lock in seconds.
    if (expirationMillis < 1000 || expirationMillis % 1000 !== 0) {
      throw check.invalid("lockExpiration", "a duration of one or more whole seconds", options.lockExpiration)
    }
    return {
      prefix,
      // Arbitrary: at least one, so that the database is not polled without a pause.
      pollMillis: Math.max(1, check.millis("pollInterval", options.pollInterval) ?? storageDefaults.pollMillis),
      expirationMillis,
      timeToLiveMillis: check.millis("timeToLive", options.timeToLive) ?? storageDefaults.timeToLiveMillis
    }
  })

export const storageDefaults: ResolvedStorage = {
  prefix: "effect_blocking",
  pollMillis: 100,
  expirationMillis: 5000,
  timeToLiveMillis: 30 * 86_400_000
}

const clientNames: ReadonlyArray<keyof ClientOptions> = ["maxPayload", "patience"]

const localNames: ReadonlyArray<keyof RunnerOptions> = [
  "pool",
  "concurrency",
  "maxAttempts",
  "retrySchedule",
  "shutdownTimeout",
  "incompatibleTimeout",
  "maxPayload"
]

const runnerNames: ReadonlyArray<keyof RunnerOptions> = [...localNames, "listen", "patience"]

const storageNames: ReadonlyArray<keyof StorageOptions> = ["prefix", "pollInterval", "lockExpiration", "timeToLive"]

const clientOf = (options: ClientOptions, check: Check): ResolvedClient => ({
  maxPayload: check.integer("maxPayload", options.maxPayload, 1) ?? 1_000_000,
  patienceMillis: check.millis("patience", options.patience, true) ?? 10_000
})

const listenOf = (options: ListenOptions, check: Check): Exclude<ResolvedRunner["listen"], false> => {
  if (!isObject(options)) throw check.invalid("listen", "an object, such as { port: 34500 }, or false", options)
  const { advertise, host = "127.0.0.1", port, transport = "tcp" } = options
  if (transport !== "tcp" && transport !== "websocket") {
    throw check.invalid("listen.transport", "\"tcp\" or \"websocket\"", transport)
  }
  if (!isHost(host)) throw check.invalid("listen.host", "the name or the IP address of an interface", host)
  if (advertise !== undefined && !isHost(advertise) && !(transport === "websocket" && isWebSocketUrl(advertise))) {
    const expected = transport === "tcp"
      ? "a host without a scheme and a port"
      : "a host without a scheme and a port, or a URL that begins with ws:// or wss://"
    throw check.invalid("listen.advertise", expected, advertise)
  }
  if (advertise === undefined && everyInterface.has(host)) {
    const expected = `the host that other programs connect to: they cannot connect to ${host}`
    throw check.invalid("listen.advertise", expected, advertise)
  }
  return {
    host,
    port: check.integer("listen.port", port, 0, 65_535) ?? 0,
    transport,
    ...(advertise === undefined ? {} : { advertise })
  }
}

/** The addresses that stand for all interfaces of a machine. */
const everyInterface: ReadonlySet<string> = new Set(["0.0.0.0", "::", "[::]"])

const isHost = (value: unknown): value is string =>
  typeof value === "string" && /^[^\s/]+$/.test(value) && (isIpv6(value) || !value.includes(":"))

const isIpv6 = (host: string): boolean => host.split(":").length > 2

const isWebSocketUrl = (value: unknown): boolean =>
  typeof value === "string" && /^wss?:\/\//.test(value) && URL.canParse(value)

const isObject = (value: unknown): value is object =>
  typeof value === "object" && value !== null && !Array.isArray(value)

/** Checks of single options: `undefined` is an option that is not given. */
interface Check {
  readonly invalid: (option: string, expected: string, actual: unknown) => InvalidOptions
  readonly integer: (option: string, value: unknown, least: number, most?: number) => number | undefined
  readonly millis: (option: string, value: unknown, canBeInfinite?: boolean) => number | undefined
}

const checkOf = (layer: string): Check => {
  const invalid = (option: string, expected: string, actual: unknown): InvalidOptions =>
    new InvalidOptions({ layer, option, expected, actual: inspect(actual, { depth: 1, breakLength: Infinity }) })
  return {
    invalid,
    integer: (option, value, least, most = Infinity) => {
      if (value === undefined) return undefined
      if (Number.isSafeInteger(value) && (value as number) >= least && (value as number) <= most) return value as number
      const range = most === Infinity ? `of at least ${least}` : `from ${least} to ${most}`
      throw invalid(option, `an integer ${range}`, value)
    },
    millis: (option, value, canBeInfinite = false) => {
      if (value === undefined) return undefined
      // Effect takes a NaN for zero, wherever it occurs.
      const numbers: ReadonlyArray<unknown> = typeof value === "object" && value !== null
        ? Object.values(value)
        : [value]
      const duration = numbers.some(Number.isNaN) ? Option.none() : Duration.fromInput(value as Duration.Input)
      const millis = Option.match(duration, { onNone: () => NaN, onSome: Duration.toMillis })
      if (millis >= 0 && (millis < Infinity || canBeInfinite)) return millis
      throw invalid(option, `a ${canBeInfinite ? "" : "finite "}duration, such as "2 seconds"`, value)
    }
  }
}

const checked = <O extends object, A>(
  layer: string,
  options: O | undefined,
  names: ReadonlyArray<string>,
  resolve: (options: O, check: Check) => A
): Effect.Effect<A, InvalidOptions> =>
  Effect.suspend(() => {
    const check = checkOf(layer)
    try {
      if (options === undefined) return Effect.succeed(resolve({} as O, check))
      if (!isObject(options)) throw check.invalid("", "an object", options)
      const unknown = Object.keys(options).find((name) => !names.includes(name))
      if (unknown !== undefined) {
        const problem = `has no option "${unknown}": it has ${names.join(", ")}`
        throw new InvalidOptions({ layer, option: unknown, expected: "an option", actual: unknown, problem })
      }
      return Effect.succeed(resolve(options, check))
    } catch (error) {
      if (error instanceof InvalidOptions) return Effect.fail(error)
      throw error
    }
  })
