/** Which flags of the program its threads and processes get: how Node runs, never what it runs. */

/**
 * Flags by which the program says what it runs, or that are for one process alone. In lower
 * case, without dashes in front; a family ends in `-`.
 */
const own: ReadonlyArray<string> = (
  "e eval p pe print i interactive c check input-type run entry-url h help v version v8-options completion-bash " +
  "prof-process test test- experimental-test- watch watch- build- experimental-sea-config snapshot-blob " +
  // The environment is inherited as it is, and the file is relative to a folder that can change.
  "env-file env-file-if-exists " +
  // A debugger's port is for one process.
  "inspect inspect- debug debug-"
).split(" ")

const isOwn = (flag: string): boolean => {
  // Node takes `_` for `-` in long names, and a value after `=`.
  const name = flag.replace(/^--?(no-)?/, "").replace(/=[^]*/, "").replaceAll("_", "-")
  return own.some((one) => one.endsWith("-") ? name.startsWith(one) : name === one)
}

/**
 * Needs no list of the flags that take a value: a value of its own word never begins with a
 * dash (Node refuses it), and the words end before the script. So a word without a dash
 * belongs to the flag before it, known or not.
 */
export const inheritedFlags = (execArgv: ReadonlyArray<string>): ReadonlyArray<string> => {
  let kept = false
  return execArgv.filter((word) => {
    // `--` ends the flags: the entry of the thread would become one of the arguments.
    if (word.startsWith("-")) kept = word !== "--" && word !== "-" && !isOwn(word)
    return kept
  })
}

/**
 * Takes back what a process would inherit by NODE_OPTIONS: the program's debugger has the
 * port, and a process that waits for a debugger, or for changes of files, never starts.
 */
export const isolatingFlags = (nodeOptions: string | undefined): ReadonlyArray<string> =>
  ["inspect-brk", "inspect-wait", "inspect", "watch"].filter((name) =>
    new RegExp(`(^|[\\s"])--${name.replace("-", "[-_]")}(?![-_\\w])`).test(nodeOptions ?? "")
  ).map((name) => `--no-${name}`)
