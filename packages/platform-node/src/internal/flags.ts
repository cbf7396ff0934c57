/**
 * Which of the program's flags its threads and processes take over: those that say how it
 * runs, not those that say what it runs.
 *
 * Read as Node reads them. A value is in the same word, after `=`, or is the next word; a
 * value never begins with a dash, and a flag always does. So whatever a flag is, known here
 * or not, the words that follow it and have no dash are its value.
 */

/** What a program was asked to run instead of its entry, and how its entry is read: a thread has an entry of its own. */
const whatRuns =
  /^(-[ceip]|-pe|--(eval|print|check|interactive|input-type|(experimental-)?entry-url|run|snapshot-blob|build-.*|experimental-sea-config|prof-process)?|--(experimental-)?test(-.*)?|--watch(-.*)?|--env-file(-if-exists)?)$/

/** A debugger has one port, and waits for one process. */
const debugs = /^--(inspect(-.*)?|debug-port)$/

export const forThread = (flags: ReadonlyArray<string>): ReadonlyArray<string> =>
  without(flags, (name) => whatRuns.test(name))

export const forProcess = (flags: ReadonlyArray<string>): ReadonlyArray<string> =>
  without(flags, (name) => whatRuns.test(name) || debugs.test(name))

/** The flags but those whose name, or whole first word, is refused; with their values. */
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

/** Without its value and the `no-` of its negation; Node takes underscores for dashes. */
export const nameOf = (word: string): string =>
  word.startsWith("--") ? word.split("=", 1)[0]!.replaceAll("_", "-").replace(/^--no-/, "--") : word

/** The variables, with what `keep` leaves of the flags in `NODE_OPTIONS`; the same object if that is all. */
export const inEnv = <Env extends Readonly<Record<string, string | undefined>>>(
  env: Env,
  keep: (flags: ReadonlyArray<string>) => ReadonlyArray<string>
): Env => {
  const words = split(env["NODE_OPTIONS"] ?? "")
  const kept = keep(words)
  return kept.length === words.length ? env : { ...env, NODE_OPTIONS: kept.map(quote).join(" ") }
}

/** The words of `NODE_OPTIONS`: parted by spaces, but not between quotes, where a backslash escapes what follows. */
const split = (options: string): ReadonlyArray<string> =>
  (options.match(/(?:[^ "]|"(?:[^"\\]|\\[^])*"?)+/g) ?? []).map((word) =>
    word.replaceAll(/"((?:[^"\\]|\\[^])*)"?/g, (_, quoted: string) => quoted.replaceAll(/\\([^])/g, "$1"))
  )

const quote = (word: string): string =>
  /[ "]/.test(word) || word === "" ? `"${word.replaceAll(/["\\]/g, "\\$&")}"` : word
