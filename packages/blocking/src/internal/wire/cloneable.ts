/**
 * What can cross between threads: finding the value that cannot, and the buffers
 * that are moved instead of copied.
 *
 * Pool threads load this file: it imports nothing heavy.
 */
declare const structuredClone: <A>(value: A, options?: { readonly transfer: Array<object> }) => A

/** Throws for what cannot be sent. */
export type Clone = (value: unknown) => unknown

export interface Uncloneable {
  /** As in `arguments[0].onDone`. */
  readonly path: string
  readonly detail: string
}

/** Thrown where a value turns out not to fit through: by the schema codecs. */
export class NotCloneableError extends Error {
  readonly side: "argument" | "success" | "failure"
  readonly path: string
  constructor(side: "argument" | "success" | "failure", path: string, detail: string) {
    super(detail)
    this.side = side
    this.path = path
  }
}

/** One line about any value, whatever it is. */
export const describe = (value: unknown): string => {
  try {
    if (value instanceof Error) return `${value.name}: ${value.message}`
    if (typeof value === "function") return value.name ? `function "${value.name}"` : "a function"
    if (typeof value === "object" && value !== null) return `${value.constructor?.name || "null-prototype"} object`
    return String(value)
  } catch {
    return typeof value
  }
}

export const isPlain = (value: object): boolean => {
  const prototype = Object.getPrototypeOf(value)
  return prototype === Object.prototype || prototype === null
}

const tooDeep = "it is nested too deeply to be sent to another thread"

/** What a clone threw, in one line. */
export const explain = (error: unknown): string => {
  const detail = describe(error)
  if (error instanceof RangeError && detail.includes("call stack")) return tooDeep
  return detail.includes("detached")
    ? `${detail} It was moved before: make it anew for each run, in Effect.suspend`
    : detail
}

/** Why the value cannot be cloned, `undefined` if it can. `clone` throws what is in its way. */
const whyNotCloneable = (value: unknown, clone: Clone = structuredClone): string | undefined => {
  if (typeof value === "function") return `${describe(value)} cannot be sent to another thread`
  if (typeof value === "symbol") return `a symbol cannot be sent to another thread: ${String(value)}`
  if (typeof value !== "object" || value === null) return undefined
  // All of it: a revoked proxy throws wherever it is touched.
  try {
    if (value instanceof Promise) {
      return "a Promise cannot be sent to another thread: a task body is synchronous and returns its value"
    }
    clone(value)
    return undefined
  } catch (error) {
    return explain(error)
  }
}

/** What a clone says of an object that it does not take, whatever is in it. */
const refused = /unsupported type|needs transfer|(?<!detached and )could not be cloned/

/** The class of an object that was refused. What looks like a plain one, and was, is a proxy. */
const classOf = (value: object): string => {
  const tag = Object.prototype.toString.call(value).slice(8, -1)
  const name = value.constructor?.name
  const own = name && name !== "Object" && name !== "Array" ? name : tag
  return own === "Object" || own === "Array" ? "Proxy" : own
}

const aboutRefused = (value: object, detail: string): string => {
  const name = classOf(value)
  const hint = name === "URL"
    ? ": send url.href"
    : name === "Proxy"
    ? ": send a copy of what is behind it"
    : detail.includes("needs transfer") && !isEmitter(value)
    ? " without Task.move"
    : ""
  return `${/^[AEIO]/.test(name) ? "an" : "a"} ${name} cannot be sent to another thread${hint}`
}

/** A socket, a server, a Node stream: its listeners are in the way, and nobody put them there. */
const isEmitter = (value: object): boolean => !isPlain(value) && "_events" in value

/** How far into a structure that is too deep its path is told. Arbitrary. */
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
    for (const [step, part] of isEmitter(value) ? [] : parts(value)) {
      const found = findUncloneable(part, path + step, clone, seen)
      if (found !== undefined) return found
    }
    // An error can be cloned: it is its cause that cannot, which is no part of it here.
    if (refused.test(detail) && !(value instanceof Error)) return { path, detail: aboutRefused(value, detail) }
  } catch {
    // It cannot even be looked into: it is the culprit itself.
  }
  return { path, detail }
}

const identifier = /^[\p{ID_Start}$_][\p{ID_Continue}$]*$/u

function* parts(value: object): Iterable<readonly [step: string, part: unknown]> {
  if (value instanceof Map) {
    let i = 0
    for (const [key, part] of value) {
      yield [`.keys()[${i}]`, key]
      yield [`.get(${describe(key)})`, part]
      i++
    }
  } else if (value instanceof Set) {
    let i = 0
    for (const part of value) yield [`.values()[${i++}]`, part]
  } else {
    for (const name of Object.keys(value)) {
      const step = Array.isArray(value) ? `[${name}]` : identifier.test(name) ? `.${name}` : `[${JSON.stringify(name)}]`
      try {
        yield [step, (value as Record<string, unknown>)[name]]
      } catch {
        // A getter that throws: the value as a whole is the culprit.
      }
    }
  }
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

/** Whether a later change of the value by its owner could be seen by who gets it. */
export const isMutable = (value: unknown): boolean =>
  typeof value === "object" ? value !== null : typeof value === "function" || typeof value === "symbol"
