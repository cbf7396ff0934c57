/**
 * Describes the class of an error, and finds it again, by the names in its prototype chain.
 *
 * Pool threads load this file: it imports nothing.
 */

export interface ErrorClass {
  readonly name: string
  readonly prototype: Error
}

/** The classes of an error, its own first, down to the platform's. */
export interface ErrorChain {
  /** Names of the program's classes. */
  readonly names: ReadonlyArray<string>
  /** Name of the platform's class that they extend. */
  readonly builtIn: string
}

const builtInNames = new Set([
  "Error",
  "TypeError",
  "RangeError",
  "SyntaxError",
  "ReferenceError",
  "EvalError",
  "URIError",
  "AggregateError",
  "SuppressedError",
  "DOMException",
  "CompileError",
  "LinkError",
  "RuntimeError"
])

const globals = globalThis as unknown as Record<string, ErrorClass | undefined> & {
  readonly WebAssembly?: Record<string, ErrorClass | undefined>
}

/** The platform's class of that name, if there is one. */
const builtInClass = (name: string): ErrorClass | undefined => globals[name] ?? globals.WebAssembly?.[name]

/** Recognizes a platform class of another realm by its source text, which is native code. */
const isNative = (constructor: Function): boolean =>
  Function.prototype.toString.call(constructor).endsWith("{ [native code] }")

const isBuiltIn = (name: string, constructor: Function, prototype: object): boolean =>
  builtInNames.has(name) && (builtInClass(name)?.prototype === prototype || isNative(constructor))

/** How many classes of a chain are read. Arbitrary: a proxy can return prototypes without end. */
const maxClasses = 64

/** The chain that begins with a prototype. Never fails; omits classes without a name. */
export const chainOf = (prototype: object | null): ErrorChain => {
  const names: Array<string> = []
  try {
    let at = prototype
    for (let i = 0; at !== null && i < maxClasses; i++) {
      const constructor: unknown = Object.getOwnPropertyDescriptor(at, "constructor")?.value
      if (typeof constructor === "function") {
        const name = nameOf(constructor)
        if (isBuiltIn(name, constructor, at)) return { names, builtIn: name }
        if (name !== "") names.push(name)
      }
      at = Object.getPrototypeOf(at)
    }
  } catch {
    // A proxy: the part of the chain known so far.
  }
  return { names, builtIn: "Error" }
}

const nameOf = (constructor: Function): string => {
  try {
    return typeof constructor.name === "string" ? constructor.name : ""
  } catch {
    return ""
  }
}

/** The platform's own class of a chain. */
export const builtInOf = (chain: ErrorChain): ErrorClass => builtInClass(chain.builtIn) ?? Error

/** Whether two chains have the same names. */
export const isSameChain = (one: ErrorChain, other: ErrorChain, from = 0): boolean =>
  one.builtIn === other.builtIn &&
  one.names.length === other.names.length - from &&
  one.names.every((name, i) => name === other.names[i + from])

/** The nearest class of a chain among the given ones; a class of the same name that extends something else does not count. */
export const nearest = (chain: ErrorChain, classes: ReadonlyArray<ErrorClass>): ErrorClass | undefined => {
  if (classes.length === 0) return undefined
  for (let i = 0; i < chain.names.length; i++) {
    for (const candidate of classes) {
      if (candidate.name === chain.names[i] && isSameChain(chainOf(candidate.prototype), chain, i)) return candidate
    }
  }
  return undefined
}
