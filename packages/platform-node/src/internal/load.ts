/**
 * Imports modules, and imports them again after a failure.
 *
 * Node caches a module that threw during its evaluation: each further import of its url fails
 * with the same error. So the module is imported by a url with a mark, and its failed imports
 * as well. From then on, the url stands for the module that was loaded last.
 *
 * Pool threads and processes load this file.
 */
import { retryMark, withoutRetry } from "effect-blocking/ThreadRunner"
import * as NodeModule from "node:module"

/** The number of retries without a pause. Later pauses double each time. Arbitrary. */
const quickRetries = 8

/** The longest pause. Each retry leaves a module behind in the thread's memory. Arbitrary. */
const maxPauseMillis = 60_000

/** The most failed imports that are replaced for one module. Arbitrary: each takes another import of the module. */
const maxReplaced = 32

interface Failure {
  error: unknown
  retries: number
  retryAt: number
}

const failures = new Map<string, Failure>()

/** By url: the marked url by which a failed module is imported. */
const replacements = new Map<string, string>()
let count = 0

/** By url: the imports of a module. Filled during retries. */
const imports = new Map<string, Set<string>>()
let hooked = false

export const load = async (url: string): Promise<unknown> => {
  try {
    return await importNow(url)
  } catch (error) {
    const failure = failures.get(url)
    if (failure === undefined) failures.set(url, { error, retries: 0, retryAt: 0 })
    // A different error means that Node has read the files again.
    if (failure === undefined || failure.error !== error || Date.now() < failure.retryAt) {
      if (failure !== undefined) failure.error = error
      throw error
    }
    const pause = 1000 * 2 ** (++failure.retries - quickRetries)
    if (failure.retries >= quickRetries) failure.retryAt = Date.now() + Math.min(maxPauseMillis, pause)
    return retry(url, failure)
  }
}

const importNow = (url: string): Promise<unknown> => import(replacements.get(url) ?? url)

const retry = async (url: string, failure: Failure): Promise<unknown> => {
  hook()
  const replaced = new Set([url])
  while (true) {
    // All are marked anew: their last copies failed because of the import that was found then.
    for (const each of replaced) replacements.set(each, marked(each))
    imports.clear()
    try {
      return await importNow(url)
    } catch (error) {
      failure.error = error
      const found = await firstFailed(url, replaced, new Set())
      if (found === undefined || replaced.size === maxReplaced) throw error
      replaced.add(found)
    }
  }
}

/** The mark is in the fragment: in a `data:` url, a query would be part of the content. */
const marked = (url: string): string => `${url}${url.includes("#") ? "&" : "#"}${retryMark}${++count}`

/**
 * The first failed import of the replaced modules, in the order of evaluation: so no module
 * is evaluated earlier than it would be.
 */
const firstFailed = async (
  url: string,
  replaced: ReadonlySet<string>,
  seen: Set<string>
): Promise<string | undefined> => {
  seen.add(url)
  for (const imported of imports.get(url) ?? []) {
    if (seen.has(imported)) continue
    if (replaced.has(imported)) {
      const found = await firstFailed(imported, replaced, seen)
      if (found !== undefined) return found
    } else if (await fails(imported)) return imported
  }
  return undefined
}

const fails = (url: string): Promise<boolean> => importNow(url).then(() => false, () => true)

/** Records imports and applies replacements. Installed at the first retry, because it slows each import a little. */
const hook = (): void => {
  if (hooked) return
  hooked = true
  NodeModule.registerHooks({
    resolve: (specifier, context, next) => {
      const resolved = next(specifier, context)
      const { url } = resolved
      if (url.startsWith("node:")) return resolved
      const { parentURL } = context
      if (parentURL?.includes(retryMark) === true) {
        const parent = withoutRetry(parentURL)
        const others = imports.get(parent)
        if (others === undefined) imports.set(parent, new Set([url]))
        else others.add(url)
      }
      const replacement = replacements.get(url)
      return replacement === undefined ? resolved : { ...resolved, url: replacement }
    }
  })
}
