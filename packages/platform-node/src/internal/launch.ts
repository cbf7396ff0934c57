/** How the program's environment and flags are handed on to its threads and processes. */
import { existsSync } from "node:fs"

export interface LaunchOptions {
  readonly threadName: string
  readonly env: Readonly<Record<string, string | undefined>> | undefined
  readonly execArgv: ReadonlyArray<string> | undefined
  readonly resourceLimits: ResourceLimits | undefined
}

export interface ResourceLimits {
  readonly maxOldGenerationSizeMb?: number
  readonly maxYoungGenerationSizeMb?: number
  readonly codeRangeSizeMb?: number
  readonly stackSizeMb?: number
}

/** The file beside that of `url`: `tsc` rewrites the extensions of imports, not of urls. */
export const entryUrl = (name: string, url: string | undefined): URL => {
  // As in a bundle of CommonJS.
  if (url === undefined) throw new Error(`The entry of the pool threads cannot be found: ${bundled}`)
  return new URL(`./${name}.${url.endsWith(".ts") ? "ts" : "js"}`, url)
}

/** Throws if a bundler has left the entry behind: Node would only say that it is not there. */
export const checkEntry = (entry: URL): void => {
  if (!existsSync(entry)) throw failed(`The entry of the pool threads is not there (${entry.href}): ${bundled}`)
}

const bundled = "is @effect-blocking/platform-node bundled? Mark it as external"

/** A stack would show this library and no line of the program, for each attempt anew. */
export const failed = (message: string): Error => {
  const error = new Error(message)
  error.stack = `Error: ${message}`
  return error
}

/** Gives pool threads the entry point of `effect-blocking` that does not load `effect`. */
export const condition = "--conditions=effect-blocking-thread"

/** A variable that is `undefined` is not there; Node would make it the text "undefined". */
export const definedOnly = (
  env: Readonly<Record<string, string | undefined>> | undefined
): Record<string, string> | undefined =>
  env &&
  Object.fromEntries(Object.entries(env).filter((entry): entry is [string, string] => entry[1] !== undefined))

/** Flags of the program that say what it runs, not how: a thread has its own script. */
const own = new Set(["-e", "--eval", "-p", "-pe", "--print", "-i", "--interactive", "-c", "--check"])

export const inheritedFlags = (execArgv: ReadonlyArray<string>): ReadonlyArray<string> =>
  execArgv.filter((flag, i) => !own.has(flag) && !own.has(execArgv[i - 1] ?? "") && !flag.startsWith("--input-type"))
