/** How the program's environment and flags are handed on to its threads and processes. */

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
export const entryUrl = (name: string, url: string): URL =>
  new URL(`./${name}.${url.endsWith(".ts") ? "ts" : "js"}`, url)

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
