/** Checks the options of a user, and fills in the defaults. */
import * as NodeBlocking from "@effect-blocking/platform-node/NodeBlocking"
import * as Duration from "effect/Duration"
import * as Effect from "effect/Effect"
import * as Option from "effect/Option"
import { availableParallelism } from "node:os"
import { resolve as resolvePath } from "node:path"
import { DatabaseSync } from "node:sqlite"
import { fileURLToPath } from "node:url"
import { inspect } from "node:util"
import type { Options } from "../../SqliteClient.ts"
import { isMemory } from "../thread/connection.ts"

export interface ResolvedOptions {
  readonly filename: string
  /** Whether the database is in memory, and so is lost with its connection. */
  readonly memory: boolean
  readonly readonly: boolean
  /** 0 if one connection both reads and writes. */
  readonly readers: number
  readonly isolation: "thread" | "process"
  readonly cacheSize: number
  readonly queueCapacity: number | undefined
  readonly onFull: "suspend" | "fail" | undefined
  readonly busyMillis: number
  readonly wal: boolean
  readonly synchronous: "normal" | "full"
  readonly init: string | undefined
  readonly statementLimitMillis: number | undefined
  readonly streamLimitMillis: number
  readonly journalSizeLimit: number
  readonly autoInvalidate: boolean
}

const names: ReadonlySet<string> = new Set<keyof Options>([
  "autoInvalidate",
  "busyTimeout",
  "disableWAL",
  "filename",
  "init",
  "isolation",
  "journalSizeLimit",
  "onFull",
  "prepareCacheSize",
  "queueCapacity",
  "readers",
  "readonly",
  "spanAttributes",
  "statementTimeLimit",
  "streamTimeLimit",
  "synchronous",
  "transformQueryNames",
  "transformResultNames"
])

/** Arbitrary: enough for a program that does not write values into its statements. */
const defaultCacheSize = 200
const defaultBusyMillis = 5000
/** The size in bytes that the WAL file may keep when the WAL is empty. */
const defaultJournalSizeLimit = 64 * 1024 * 1024
/** Without a limit, a stream that is never read to its end would keep the WAL from being emptied. */
const defaultStreamLimitMillis = 10 * 60_000

class Problem {
  readonly option: string
  readonly expected: string
  readonly actual: unknown
  readonly problem: string | undefined
  constructor(option: string, expected: string, actual: unknown, problem?: string) {
    this.option = option
    this.expected = expected
    this.actual = actual
    this.problem = problem
  }
}

export const resolve = (options: Options): Effect.Effect<ResolvedOptions, NodeBlocking.InvalidOptions> =>
  Effect.suspend(() => {
    try {
      return Effect.succeed(resolved(options))
    } catch (error) {
      if (!(error instanceof Problem)) throw error
      const { actual, expected, option, problem } = error
      return Effect.fail(
        new NodeBlocking.InvalidOptions({
          pool: "SqliteClient",
          option,
          expected,
          actual: inspect(actual, { depth: 1, breakLength: Infinity }),
          ...(problem === undefined ? {} : { problem })
        })
      )
    }
  })

const resolved = (options: Options): ResolvedOptions => {
  for (const name of Object.keys(options)) {
    if (names.has(name)) continue
    throw new Problem(
      name,
      "an option",
      undefined,
      `has no option ${JSON.stringify(name)}: it has ${[...names].join(", ")}`
    )
  }
  const filename = pathOf(options.filename)
  const memory = isMemory(filename)
  for (const name of ["readonly", "disableWAL"] as const) {
    const value: unknown = options[name]
    if (value !== undefined && typeof value !== "boolean") throw new Problem(name, "true or false", value)
  }
  for (const name of ["transformQueryNames", "transformResultNames"] as const) {
    const value: unknown = options[name]
    if (value !== undefined && typeof value !== "function") {
      throw new Problem(name, "a function that takes a name", value)
    }
  }
  const attributes: unknown = options.spanAttributes
  if (attributes !== undefined && (typeof attributes !== "object" || attributes === null)) {
    throw new Problem("spanAttributes", "an object", attributes)
  }
  const isolation = options.isolation ?? "thread"
  if (isolation !== "thread" && isolation !== "process") {
    throw new Problem("isolation", "\"thread\" or \"process\"", isolation)
  }
  if (memory && isolation === "process") {
    throw new Problem(
      "isolation",
      "\"thread\" for a database in memory, which would be lost with its process",
      isolation
    )
  }
  const readers = integer("readers", options.readers, 0)
  if (memory && readers !== undefined && readers > 0) {
    throw new Problem("readers", "0 for a database in memory, which has one connection", readers)
  }
  const { onFull } = options
  if (onFull !== undefined && onFull !== "suspend" && onFull !== "fail") {
    throw new Problem("onFull", "\"suspend\" or \"fail\"", onFull)
  }
  const synchronous = options.synchronous ?? "full"
  if (synchronous !== "normal" && synchronous !== "full") {
    throw new Problem("synchronous", "\"normal\" or \"full\"", synchronous)
  }
  const wal = options.disableWAL !== true && !memory && options.readonly !== true
  return {
    memory,
    filename: memory ? filename : resolvePath(filename),
    readonly: options.readonly === true,
    // At least two: one may be busy with a long read.
    readers: memory ? 0 : readers ?? Math.max(2, Math.min(4, availableParallelism() - 1)),
    isolation,
    cacheSize: integer("prepareCacheSize", options.prepareCacheSize, 0) ?? defaultCacheSize,
    queueCapacity: integer("queueCapacity", options.queueCapacity, 0),
    onFull,
    busyMillis: millis("busyTimeout", options.busyTimeout) ?? defaultBusyMillis,
    wal,
    synchronous,
    init: initOf(options.init),
    statementLimitMillis: millis("statementTimeLimit", options.statementTimeLimit),
    streamLimitMillis: millis("streamTimeLimit", options.streamTimeLimit) ?? defaultStreamLimitMillis,
    journalSizeLimit: integer("journalSizeLimit", options.journalSizeLimit, 0) ?? defaultJournalSizeLimit,
    autoInvalidate: autoInvalidate(options.autoInvalidate)
  }
}

const pathOf = (filename: unknown): string => {
  const expected = "a path, a file:// url, or \":memory:\""
  if (typeof filename !== "string") throw new Problem("filename", expected, filename)
  if (!filename.startsWith("file:")) return filename
  // SQLite's own urls, with parameters, are not supported: each parameter has an option.
  if (!filename.startsWith("file:///") || filename.includes("?")) throw new Problem("filename", expected, filename)
  return fileURLToPath(filename)
}

const integer = (option: string, value: unknown, least: number): number | undefined => {
  if (value === undefined) return undefined
  if (Number.isSafeInteger(value) && value as number >= least) return value as number
  throw new Problem(option, `an integer of at least ${least}`, value)
}

const millis = (option: string, value: Duration.Input | undefined): number | undefined => {
  if (value === undefined) return undefined
  const duration = Number.isNaN(value) ? undefined : Option.getOrUndefined(Duration.fromInput(value))
  if (duration !== undefined && !Duration.isNegative(duration)) return Duration.toMillis(duration)
  throw new Problem(option, "a duration, such as \"2 seconds\"", value)
}

const autoInvalidate = (value: unknown): boolean => {
  if (value !== undefined && typeof value !== "boolean") throw new Problem("autoInvalidate", "true or false", value)
  if (value === true && !("setAuthorizer" in DatabaseSync.prototype)) {
    throw new Problem("autoInvalidate", "false before Node 24.10, which reports the tables that are written", value)
  }
  return value === true
}

const initOf = (value: unknown): string | undefined => {
  if (value === undefined) return undefined
  const url = value instanceof URL ? value.href : value
  if (typeof url === "string" && url.startsWith("file:")) return url
  throw new Problem("init", "the url of a module, such as new URL(\"./init.ts\", import.meta.url)", value)
}
