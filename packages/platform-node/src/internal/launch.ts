/** The options with which threads and processes start, their entry, and their environment variables. */
import { CannotStart } from "effect-blocking/ThreadHost"
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

/**
 * Whether a module runs from its TypeScript source: `tsc` rewrites the extensions of imports, not
 * of urls. Both urls are literals where they are used, because tools that trace files read them.
 */
export const isSource = (url: string | undefined): boolean => {
  // In a CommonJS bundle, for example.
  if (url === undefined) throw new CannotStart(`The entry of the pool threads cannot be found: ${left}`)
  return url.endsWith("ts")
}

/** Throws if a bundler has left the entry out: Node would report only that the file does not exist. */
export const checkEntry = (entry: URL): void => {
  if (!existsSync(entry)) {
    throw new CannotStart(`The entry of the pool threads is not there (${entry.href}): ${left}`)
  }
}

const left = "is @effect-blocking/platform-node bundled? Mark it as external. Were the files of the program traced? " +
  "Trace this one, too"

/** Gives pool threads the entry point of `effect-blocking` that does not load `effect`. */
export const condition = "--conditions=effect-blocking-thread"

/** The variables without those that are `undefined`, which Node would set to the text "undefined". */
export const definedOnly = (
  env: Readonly<Record<string, string | undefined>> | undefined
): Record<string, string> | undefined =>
  env &&
  Object.fromEntries(Object.entries(env).filter((entry): entry is [string, string] => entry[1] !== undefined))
