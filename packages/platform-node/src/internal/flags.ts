/**
 * Selects the program's flags that its threads and processes inherit: those that say how it
 * runs, not those that say what it runs.
 *
 * Parsed as in Node: a value is in the same word, after `=`, or is the next word; a
 * value never begins with a dash, and a flag always does. So for any flag, known here
 * or not, the following words without a dash are its value.
 */

/** Flags that replace the program's entry, or say how to read it: a thread has its own entry. */
const whatRuns =
  /^(-[ceip]|-pe|--(eval|print|check|interactive|input-type|(experimental-)?entry-url|run|snapshot-blob|build-.*|experimental-sea-config|prof-process)?|--(experimental-)?test(-.*)?|--watch(-.*)?|--env-file(-if-exists)?)$/

/** A debugger has one port, and waits for one process. */
const debugs = /^--(inspect(-.*)?|debug-port)$/

export const forThread = (flags: ReadonlyArray<string>): ReadonlyArray<string> =>
  without(flags, (name) => whatRuns.test(name))

export const forProcess = (flags: ReadonlyArray<string>): ReadonlyArray<string> =>
  without(flags, (name) => whatRuns.test(name) || debugs.test(name))

/** The flags, with their values, except those whose name, or whole first word, is refused. */
export const without = (
  flags: ReadonlyArray<string>,
  refused: (name: string, word: string) => boolean
): ReadonlyArray<string> => {
  let dropped = false
  return flags.filter((word) => {
    if (word.startsWith("-")) dropped = refused(nameOf(word), word)
    return !dropped
  })
}

/** The name of a flag: without value and `no-`; Node treats underscores as dashes. */
export const nameOf = (word: string): string =>
  word.startsWith("--") ? word.split("=", 1)[0]!.replaceAll("_", "-").replace(/^--no-/, "--") : word

/** The variables, with the flags of `NODE_OPTIONS` filtered by `keep`; the same object if all are kept. */
export const inEnv = <Env extends Readonly<Record<string, string | undefined>>>(
  env: Env,
  keep: (flags: ReadonlyArray<string>) => ReadonlyArray<string>
): Env => {
  const words = split(env["NODE_OPTIONS"] ?? "")
  const kept = keep(words)
  return kept.length === words.length ? env : { ...env, NODE_OPTIONS: kept.map(quote).join(" ") }
}

/** The words of `NODE_OPTIONS`: separated by spaces, except between quotes, where a backslash escapes the next character. */
const split = (options: string): ReadonlyArray<string> =>
  (options.match(/(?:[^ "]|"(?:[^"\\]|\\[^])*"?)+/g) ?? []).map((word) =>
    word.replaceAll(/"((?:[^"\\]|\\[^])*)"?/g, (_, quoted: string) => quoted.replaceAll(/\\([^])/g, "$1"))
  )

const quote = (word: string): string =>
  /[ "]/.test(word) || word === "" ? `"${word.replaceAll(/["\\]/g, "\\$&")}"` : word
