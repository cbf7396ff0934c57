/** What is wrong with options as a whole: they are no object, or one of them is not there. */
import { describe } from "../wire/cloneable.ts"

export interface OptionsProblem {
  /** The name that is not there; `undefined` if the options are no object. */
  readonly option: string | undefined
  /** As in `has no option "maxthreads"; did you mean "maxThreads"?`. */
  readonly message: string
}

/**
 * An option that is `undefined` is not given; what is inherited is not looked at. `group`
 * stands before the names of options inside of an option, as in `recycle.tasks`.
 */
export const optionsProblem = (
  options: unknown,
  names: ReadonlyArray<string>,
  group = ""
): OptionsProblem | undefined => {
  if (typeof options !== "object" || options === null || Array.isArray(options)) {
    const given = typeof options === "string" ? JSON.stringify(options) : describe(options)
    return { option: undefined, message: `takes its options as an object, { ${names[0]}: … }, not ${given}` }
  }
  const unknown = Object.entries(options).find(([name, value]) => value !== undefined && !names.includes(name))
  if (unknown === undefined) return undefined
  const [name] = unknown
  const meant = names.find((one) => letters(one) === letters(name))
  const all = names.map((one) => group + one).join(", ")
  const hint = meant === undefined ? `. It has: ${all}` : `; did you mean "${group}${meant}"?`
  return { option: group + name, message: `has no option "${group}${name}"${hint}` }
}

/** Without what is most often wrong: capitals, what separates words, a plural. */
const letters = (name: string): string => name.toLowerCase().replace(/[^a-z]|s$/g, "")
