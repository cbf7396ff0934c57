/** How the program's environment and flags are handed on to its threads and processes. */
import { existsSync } from "node:fs"
import { cannotStart } from "./failure.ts"

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
 * The file of a thread or process. Its two urls are literals where this is called, so that
 * tracers of files find it; `tsc` rewrites the extensions of imports, not of urls.
 */
export const entryUrl = (url: string | undefined, source: () => URL, built: () => URL): URL => {
  // As in a bundle of CommonJS.
  if (url === undefined) throw new Error(`The entry of the pool threads cannot be found: ${bundled}`)
  return url.endsWith(".ts") ? source() : built()
}

/** Throws if a bundler or a tracer of files has left the entry behind: Node would only say that it is not there. */
export const checkEntry = (entry: URL): void => {
  if (!existsSync(entry)) throw cannotStart(`The entry of the pool threads is not there (${entry.href}): ${bundled}`)
}

const bundled =
  "is @effect-blocking/platform-node bundled? Mark it as external. Were the files of the program chosen by " +
  "tracing (Next.js standalone, @vercel/nft)? Include this one"

/** Gives pool threads the entry point of `effect-blocking` that does not load `effect`. */
export const condition = "--conditions=effect-blocking-thread"

/** A variable that is `undefined` is not there; Node would make it the text "undefined". */
export const definedOnly = (
  env: Readonly<Record<string, string | undefined>> | undefined
): Record<string, string> | undefined =>
  env &&
  Object.fromEntries(Object.entries(env).filter((entry): entry is [string, string] => entry[1] !== undefined))
