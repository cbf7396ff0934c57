/**
 * Selects the program's flags that its threads and processes inherit: those that say how the
 * program runs, not those that say what it runs.
 *
 * Flags are read as Node reads them. A value is in the same word, after `=`, or is the next
 * word. A value never begins with a dash, and a flag always does. So the words without a dash
 * that follow a flag are its value, even if the flag is not known here.
 */

/** Flags that name something to run instead of the program's entry, or say how to read the entry: a thread has its own. */
const whatRuns =
  /^(-[ceip]|-pe|--(eval|print|check|interactive|input-type|(experimental-)?entry-url|run|snapshot-blob|build-.*|experimental-sea-config|prof-process)?|--(experimental-)?test(-.*)?|--watch(-.*)?|--env-file(-if-exists)?)$/

/** Flags of the inspector: it has one port, and waits for one process. */
const debugs = /^--(inspect(-.*)?|debug-port)$/

export const forThread = (flags: ReadonlyArray<string>): ReadonlyArray<string> =>
  without(flags, (name) => whatRuns.test(name))

export const forProcess = (flags: ReadonlyArray<string>): ReadonlyArray<string> =>
  without(flags, (name) => whatRuns.test(name) || debugs.test(name))

/** The flags without those whose name, or whole first word, is refused, and without the values of those. */
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

/** The name of a flag, without its value and the `no-` of its negation. Node treats underscores as dashes. */
export const nameOf = (word: string): string =>
  word.startsWith("--") ? word.split("=", 1)[0]!.replaceAll("_", "-").replace(/^--no-/, "--") : word

/** The variables with only those flags in `NODE_OPTIONS` that `keep` returns; the same object if it keeps all. */
export const inEnv = <Env extends Readonly<Record<string, string | undefined>>>(
  env: Env,
  keep: (flags: ReadonlyArray<string>) => ReadonlyArray<string>
): Env => {
  const words = split(env["NODE_OPTIONS"] ?? "")
  const kept = keep(words)
  return kept.length === words.length ? env : { ...env, NODE_OPTIONS: kept.map(quote).join(" ") }
}

/** The words of `NODE_OPTIONS`, separated by spaces outside of quotes. Between quotes, a backslash escapes the next character. */
const split = (options: string): ReadonlyArray<string> =>
  (options.match(/(?:[^ "]|"(?:[^"\\]|\\[^])*"?)+/g) ?? []).map((word) =>
    word.replaceAll(/"((?:[^"\\]|\\[^])*)"?/g, (_, quoted: string) => quoted.replaceAll(/\\([^])/g, "$1"))
  )

const quote = (word: string): string =>
  /[ "]/.test(word) || word === "" ? `"${word.replaceAll(/["\\]/g, "\\$&")}"` : word
