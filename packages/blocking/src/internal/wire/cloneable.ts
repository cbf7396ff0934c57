/**
 * Checks whether a value can cross between threads, and finds the part that cannot.
 *
 * Pool threads load this file: it imports nothing heavy.
 */
import { isError, isMap, isPlain, isSet, whyLost } from "./kinds.ts"

export { isPlain }

declare const structuredClone: <A>(value: A, options?: { readonly transfer: Array<object> }) => A

/** Clones a value; throws if it cannot be sent. */
export type Clone = (value: unknown) => unknown

export interface Uncloneable {
  /** As in `arguments[0].onDone`. */
  readonly path: string
  readonly detail: string
}

/** Thrown for a value that cannot cross, by the schema codecs for example. */
export class NotCloneableError extends Error {
  readonly side: "argument" | "success" | "failure"
  readonly path: string
  constructor(side: "argument" | "success" | "failure", path: string, detail: string) {
    super(detail)
    this.side = side
    this.path = path
  }
}

/** One line about any value. */
export const describe = (value: unknown): string => {
  try {
    if (isError(value)) return `${value.name}: ${value.message}`
    if (typeof value === "function") return value.name ? `function "${value.name}"` : "a function"
    if (typeof value === "object" && value !== null) return `${value.constructor?.name || "null-prototype"} object`
    return String(value)
  } catch {
    return typeof value
  }
}

const tooDeep = "it is nested too deeply to be sent to another thread"

/** The error of a clone, in one line. */
export const explain = (error: unknown): string => {
  if (error instanceof NotCloneableError) return error.message
  // Gives errors of a platform the form of the texts here.
  const detail = describe(error).replace(/^TypeError: (?=an? )/, "")
  if (error instanceof RangeError && detail.includes("call stack")) return tooDeep
  return detail.includes("detached")
    ? `${detail} It was moved before: make it anew for each run, in Effect.suspend`
    : detail
}

/** Why the value cannot be cloned, `undefined` if it can. `clone` throws the reason. */
const whyNotCloneable = (value: unknown, clone: Clone = structuredClone): string | undefined => {
  if (typeof value === "function") return `${describe(value)} cannot be sent to another thread`
  if (typeof value === "symbol") return `a symbol cannot be sent to another thread: ${String(value)}`
  if (typeof value !== "object" || value === null) return undefined
  // Around everything: a revoked proxy throws on every access.
  try {
    if (value instanceof Promise) {
      return "a Promise cannot be sent to another thread: a task body is synchronous and returns its value"
    }
    const lost = whyLost(value)
    if (lost !== undefined) return lost
    clone(value)
    return undefined
  } catch (error) {
    return explain(error)
  }
}

/** Messages of a clone that refuses an object whatever its contents. */
const refused = /unsupported type|needs transfer|(?<!detached and )could not be cloned/

/** The class of a refused object. One that looks plain is a proxy. */
const classOf = (value: object): string => {
  const tag = Object.prototype.toString.call(value).slice(8, -1)
  const name = value.constructor?.name
  const own = name && name !== "Object" && name !== "Array" ? name : tag
  return own === "Object" || own === "Array" ? "Proxy" : own
}

/** As in `a URL` and `an EventEmitter`. */
export const withArticle = (name: string): string => `${/^[AEIO]/.test(name) ? "an" : "a"} ${name}`

const aboutRefused = (value: object, detail: string): string => {
  const name = classOf(value)
  const hint = name === "URL"
    ? ": send url.href"
    : name === "Proxy"
    ? ": send a copy of what is behind it"
    : detail.includes("needs transfer") && !isEmitter(value)
    ? " without Task.move"
    : ""
  return `${withArticle(name)} cannot be sent to another thread${hint}`
}

/** A socket, a server, a Node stream. It is not searched: the search would name internal listeners, which the user did not add. */
const isEmitter = (value: object): boolean => !isPlain(value) && "_events" in value

/** How many steps of the path into a too deep structure are shown. Arbitrary. */
const stepsShown = 5

/** Finds the first part of a value that keeps it from being cloned. */
export const findUncloneable = (
  value: unknown,
  path: string,
  clone?: Clone,
  seen = new Set<unknown>()
): Uncloneable | undefined => {
  if (seen.has(value)) return undefined
  const detail = whyNotCloneable(value, clone)
  if (detail === undefined) return undefined
  if (typeof value !== "object" || value === null) return { path, detail }
  if (detail === tooDeep && seen.size >= stepsShown) return { path: `${path} …`, detail }
  seen.add(value)
  try {
    if (whyLost(value) !== undefined) return { path, detail }
    for (const part of isEmitter(value) ? [] : partsOf(value)) {
      const at = path + part.step
      if ("thrown" in part) return { path: at, detail: `its getter threw ${describe(part.thrown)}` }
      const found = findUncloneable(part.value, at, clone, seen)
      if (found !== undefined) return found
    }
    if (refused.test(detail)) return { path, detail: aboutRefused(value, detail) }
  } catch {
    // It cannot even be read: the value itself is the cause.
  }
  return { path, detail }
}

const identifier = /^[\p{ID_Start}$_][\p{ID_Continue}$]*$/u

/** The step of a path to a property, in JavaScript syntax. */
export const stepOf = (value: object, key: string): string =>
  identifier.test(key)
    ? `.${key}`
    : `[${Array.isArray(value) && String(Number(key)) === key ? key : JSON.stringify(key)}]`

type Part = { readonly step: string } & ({ readonly value: unknown } | { readonly thrown: unknown })

/** The parts of an object that a clone reads. */
function* partsOf(value: object): Iterable<Part> {
  // Its elements are numbers.
  if (ArrayBuffer.isView(value)) return
  if (isMap(value)) {
    let i = 0
    for (const [key, part] of Map.prototype.entries.call(value)) {
      yield { step: `.keys()[${i++}]`, value: key }
      yield { step: `.get(${describe(key)})`, value: part }
    }
  } else if (isSet(value)) {
    let i = 0
    for (const part of Set.prototype.values.call(value)) yield { step: `.values()[${i++}]`, value: part }
  } else if (isError(value)) {
    yield partOf(value, "cause")
  } else {
    for (const key of Object.keys(value)) yield partOf(value, key)
  }
}

const partOf = (value: object, key: string): Part => {
  const step = stepOf(value, key)
  try {
    return { step, value: (value as Record<string, unknown>)[key] }
  } catch (thrown) {
    return { step, thrown }
  }
}

/**
 * How many parts of a value are searched for an object that would arrive empty. Arbitrary: about ten microseconds.
 */
const maxLookedAt = 1000

/** Throws a `NotCloneableError` if one of the first parts of a value would arrive empty, such as a `Redacted`. */
export const refuseLost = (value: unknown, side: NotCloneableError["side"], path: string): void => {
  if (typeof value !== "object" || value === null) return
  let found: Uncloneable | undefined
  try {
    found = findLost(value, { left: maxLookedAt })
  } catch {
    // A value that cannot be read cannot be sent either: the send reports it.
  }
  if (found !== undefined) throw new NotCloneableError(side, path + found.path, found.detail)
}

const findLost = (value: unknown, budget: { left: number }): Uncloneable | undefined => {
  if (typeof value !== "object" || value === null || ArrayBuffer.isView(value)) return undefined
  if (Array.isArray(value)) {
    for (let i = 0; i < value.length; i++) {
      if (budget.left-- <= 0) break
      const found = findLost(value[i], budget)
      if (found !== undefined) return { ...found, path: `[${i}]${found.path}` }
    }
    return undefined
  }
  const lost = whyLost(value)
  if (lost !== undefined) return { path: "", detail: lost }
  if (value instanceof Map || value instanceof Set) {
    for (const part of partsOf(value)) {
      if (budget.left-- <= 0) break
      const found = "value" in part ? findLost(part.value, budget) : undefined
      if (found !== undefined) return { ...found, path: part.step + found.path }
    }
  } else {
    for (const key in value) {
      if (budget.left-- <= 0) break
      // Classes of the platform can have enumerable getters, such as `signal` of a Request.
      if (!Object.hasOwn(value, key)) continue
      const found = findLost((value as Record<string, unknown>)[key], budget)
      if (found !== undefined) return { ...found, path: stepOf(value, key) + found.path }
    }
  }
  return undefined
}

/**
 * A view of a part of a buffer, copied to a buffer of its own: a clone would copy
 * the whole buffer, and with Node's pooled buffers the neighbours' bytes with it.
 */
export const compact = (value: unknown): unknown => {
  if (!ArrayBuffer.isView(value) || value.byteLength === value.buffer.byteLength) return value
  if (value.buffer instanceof SharedArrayBuffer) return value
  const bytes = new Uint8Array(value.byteLength)
  bytes.set(new Uint8Array(value.buffer, value.byteOffset, value.byteLength))
  if (value instanceof DataView) return new DataView(bytes.buffer)
  if (value instanceof Uint8Array) return bytes
  const View = value.constructor as new(buffer: ArrayBuffer) => ArrayBufferView
  return new View(bytes.buffer)
}

/** Whether the receiver could see a later change of the value by its owner. */
export const isMutable = (value: unknown): boolean =>
  typeof value === "object" ? value !== null : typeof value === "function" || typeof value === "symbol"
