/**
 * How thrown values and domain errors cross between threads. A structured clone
 * keeps only the name, message and stack of an error, so errors are taken apart on
 * one side and put together on the other, at any depth, cycles included.
 *
 * Pool threads load this file.
 */
import { bounded } from "./bounded.ts"
import { type Clone, describe, explain, findUncloneable, isPlain, type Uncloneable } from "./cloneable.ts"

/** A value that can be cloned; every error in it is an `EncodedError`. */
export type EncodedValue = unknown

const marker = "~effect-blocking/Error"

const EffectTypeId = "~effect/Effect"

interface EncodedError {
  [marker]: {
    /** Name of the constructor, by which the class is found again. */
    readonly className: string
    /** Whether it is an Effect as well, as Effect's tagged errors are: it can be yielded. */
    readonly yieldable: boolean
    readonly message: string
    readonly stack: string | undefined
    /** Own enumerable fields, and `_tag` and `name` wherever they were defined. */
    fields: Record<string, EncodedValue>
    cause?: EncodedValue
    errors?: EncodedValue
  }
}

export interface ErrorClass {
  readonly name: string
  readonly prototype: Error
}

/** Reads what user code may have made unreadable (a getter or proxy that throws). */
const read = (value: object, name: PropertyKey): unknown => {
  try {
    return Reflect.get(value, name)
  } catch (thrown) {
    return `[unreadable: ${describe(thrown)}]`
  }
}

const readString = (value: object, name: PropertyKey): string | undefined => {
  const found = read(value, name)
  return typeof found === "string" ? found : undefined
}

declare const structuredClone: Clone

interface Encoding {
  readonly clone: Clone
  readonly onUncloneable: (found: Uncloneable) => string
}

/**
 * Encodes a value. What cannot be cloned is handed to `onUncloneable`, whose
 * answer takes its place.
 */
const encode = (
  value: unknown,
  path: string,
  seen: Map<object, EncodedValue>,
  encoding: Encoding
): EncodedValue => {
  if (typeof value !== "object" || value === null) {
    const found = findUncloneable(value, path, encoding.clone)
    return found === undefined ? value : encoding.onUncloneable(found)
  }
  const known = seen.get(value)
  if (known !== undefined) return known
  if (value instanceof Error) return encodeError(value, path, seen, encoding)
  if (Array.isArray(value)) {
    const copy: Array<EncodedValue> = []
    seen.set(value, copy)
    for (let i = 0; i < value.length; i++) copy.push(encode(value[i], `${path}[${i}]`, seen, encoding))
    return copy
  }
  if (isPlain(value)) {
    const copy: Record<string, EncodedValue> = {}
    seen.set(value, copy)
    for (const name of Object.keys(value)) {
      define(copy, name, encode(read(value, name), `${path}.${name}`, seen, encoding))
    }
    return copy
  }
  const found = findUncloneable(value, path, encoding.clone)
  return found === undefined ? value : encoding.onUncloneable(found)
}

const encodeError = (
  error: Error,
  path: string,
  seen: Map<object, EncodedValue>,
  encoding: Encoding
): EncodedError => {
  const fields: Record<string, EncodedValue> = {}
  const encoded: EncodedError = {
    [marker]: {
      className: readString(read(error, "constructor") as object ?? {}, "name") ?? "Error",
      yieldable: read(error, EffectTypeId) !== undefined,
      message: readString(error, "message") ?? "",
      stack: ownFrames(readString(error, "stack")),
      fields
    }
  }
  seen.set(error, encoded)
  for (const name of ["name", "_tag", ...Object.keys(error)]) {
    if (name === "message" || name === "stack" || name === "cause" || name === "errors") continue
    const value = read(error, name)
    if (value !== undefined) define(fields, name, encode(value, `${path}.${name}`, seen, encoding))
  }
  for (const name of ["cause", "errors"] as const) {
    const value = read(error, name)
    if (value !== undefined) encoded[marker][name] = encode(value, `${path}.${name}`, seen, encoding)
  }
  return encoded
}

/** The function that calls a body, in `thread/loop.ts`: with source maps its file has another name, or none. */
const bodyCaller = "effectBlockingBody"

/** The frames of the task: those from the call of its body on say nothing to its author. */
const ownFrames = (stack: string | undefined): string | undefined => {
  const end = stack?.indexOf(`    at ${bodyCaller} (`) ?? -1
  return stack === undefined || end < 0 ? stack : stack.slice(0, stack.lastIndexOf("\n", end))
}

/** Assignment that also works for a field called `__proto__`. */
const define = (target: object, name: string, value: unknown, enumerable = true): void => {
  Object.defineProperty(target, name, { value, enumerable, configurable: true, writable: true })
}

/** Encodes what a body threw. Never fails: what cannot cross, be read, or is too much, is named in its place. */
export const encodeThrown = (thrown: unknown, clone: Clone = structuredClone): EncodedValue => {
  try {
    return bounded(encode(thrown, "", new Map(), { clone, onUncloneable: ({ detail }) => `[${detail}]` }))
  } catch (error) {
    return `[unreadable: ${describe(error)}]`
  }
}

/** Encodes a domain error, or answers what in it cannot cross. */
export const encodeFailure = (
  failure: unknown,
  clone: Clone = structuredClone
): { readonly value: EncodedValue } | Uncloneable => {
  let found: Uncloneable | undefined
  try {
    const value = encode(failure, "error", new Map(), {
      clone,
      onUncloneable: (uncloneable) => {
        found ??= uncloneable
        return ""
      }
    })
    return found ?? { value }
  } catch (error) {
    return { path: "error", detail: explain(error) }
  }
}

const builtIn: ReadonlyArray<ErrorClass> = [
  Error,
  TypeError,
  RangeError,
  SyntaxError,
  ReferenceError,
  EvalError,
  URIError,
  AggregateError
]

interface Decoding {
  readonly classes: ReadonlyArray<ErrorClass>
  readonly yieldable: Error
  readonly seen: Map<object, unknown>
}

/**
 * Puts an encoded value together again; errors of the named classes get their class
 * back, and other ones that could be yielded the prototype `yieldable`. Never fails: what
 * a class does not allow becomes an error that says so.
 */
export const decode = (
  value: EncodedValue,
  classes: ReadonlyArray<ErrorClass>,
  yieldable: Error = Error.prototype
): unknown => {
  try {
    return decodeValue(value, { classes, yieldable, seen: new Map() })
  } catch (error) {
    return new Error(`An error of a task could not be put together again: ${describe(error)}`, { cause: error })
  }
}

/** Data may have a field of the marker's name. */
const isEncodedError = (value: object): value is EncodedError => {
  const parts = (value as Partial<EncodedError>)[marker]
  return typeof parts === "object" && parts !== null && typeof parts.className === "string" &&
    typeof parts.fields === "object" && parts.fields !== null
}

const decodeValue = (value: EncodedValue, decoding: Decoding): unknown => {
  const { seen } = decoding
  if (typeof value !== "object" || value === null) return value
  const known = seen.get(value)
  if (known !== undefined) return known
  if (isEncodedError(value)) return decodeError(value, decoding)
  if (Array.isArray(value)) {
    seen.set(value, value)
    for (let i = 0; i < value.length; i++) value[i] = decodeValue(value[i], decoding)
  } else if (isPlain(value)) {
    seen.set(value, value)
    for (const name of Object.keys(value)) {
      define(value, name, decodeValue((value as Record<string, unknown>)[name], decoding))
    }
  }
  return value
}

const decodeError = (encoded: EncodedError, decoding: Decoding): Error => {
  const { classes, seen } = decoding
  const { cause, className, errors, fields, message, stack, yieldable } = encoded[marker]
  const found = classes.find((candidate) => candidate.name === className) ??
    builtIn.find((candidate) => candidate.name === className)
  // A real error, so that Node prints it as one; its stack is the thread's, not this one.
  const error = new Error(message)
  seen.set(encoded, error)
  const prototype = found?.prototype ?? (yieldable ? decoding.yieldable : Error.prototype)
  if (prototype !== Error.prototype) Object.setPrototypeOf(error, prototype)
  define(error, "stack", stack, false)
  for (const name of Object.keys(fields)) {
    const value = decodeValue(fields[name], decoding)
    // A name or tag that the class already gives stays where it is.
    if ((name === "name" || name === "_tag") && Reflect.get(error, name) === value) continue
    define(error, name, value, name !== "name")
  }
  if (cause !== undefined) define(error, "cause", decodeValue(cause, decoding), false)
  if (errors !== undefined) define(error, "errors", decodeValue(errors, decoding), false)
  return error
}
