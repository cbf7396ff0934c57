/**
 * Values that are moved instead of copied. `Task.move` returns a stand-in for the value, and the
 * call carries it. Only the stand-in holds the mark: a refused call leaves no mark behind, and no
 * other call sees it.
 *
 * Pool threads load this file: it imports nothing heavy.
 */
import { isPlain } from "./cloneable.ts"

declare const structuredClone: <A>(value: A, options?: { readonly transfer: ReadonlyArray<object> }) => A

interface StandIns {
  /** The stand-in of a view is another view of the same memory. Any other code can use it like the original. */
  readonly views: WeakSet<object>
  /** How many views are out. While it is 0, no argument has to be searched for them. */
  viewCount: number
  /** How many proxies are out, or not yet garbage-collected. */
  proxyCount: number
  /** The stand-in of any other value is a proxy; maps it to its target. A proxy cannot be cloned, so one below the top makes the clone fail. */
  readonly proxies: WeakMap<object, object>
}

const key = Symbol.for("effect-blocking/StandIns")

/** Two copies of this package can meet in one thread: they share their stand-ins. */
const slot = globalThis as { [key]?: StandIns }

const standIns = slot[key] ??= { views: new WeakSet(), viewCount: 0, proxyCount: 0, proxies: new WeakMap() }

declare const FinalizationRegistry: new(callback: (count: "viewCount" | "proxyCount") => void) => {
  readonly register: (target: object, held: "viewCount" | "proxyCount", token: object) => void
  readonly unregister: (token: object) => void
}

/** A stand-in whose call never ran is counted only until it is garbage-collected. */
const dropped = new FinalizationRegistry((count) => {
  standIns[count]--
})

/** Makes the proxy behave like the value. */
const handler: ProxyHandler<object> = {
  get: (value, name) => {
    const found: unknown = Reflect.get(value, name, value)
    return typeof found === "function" ? found.bind(value) : found
  },
  set: (value, name, part) => Reflect.set(value, name, part, value)
}

export const standIn = <A extends object>(value: A): A => {
  // A stand-in already.
  if (movedValue(value) !== undefined) return value
  // Detached memory cannot have another view; the call reports it.
  if (ArrayBuffer.isView(value) && !isDetached(value)) {
    const view = value instanceof DataView
      ? new DataView(value.buffer, value.byteOffset, value.byteLength)
      : (value as unknown as Uint8Array).subarray()
    standIns.views.add(view)
    standIns.viewCount++
    dropped.register(view, "viewCount", view)
    return view as unknown as A
  }
  const made = new Proxy(value, handler) as A
  standIns.proxies.set(made, value)
  standIns.proxyCount++
  dropped.register(made, "proxyCount", made)
  return made
}

/** The value to move if the given one is a stand-in, otherwise `undefined`. */
export const movedValue = (value: unknown): object | undefined => {
  if (typeof value !== "object" || value === null) return undefined
  return standIns.views.has(value) ? value : standIns.proxies.get(value)
}

/** Whether there may be stand-ins that a clone would not reject. */
export const viewsAreOut = (): boolean => standIns.viewCount > 0

/** Whether a value contains stand-ins. It is searched only if any are out. */
export const mayHoldStandIns = (value: unknown): boolean =>
  standIns.viewCount + standIns.proxyCount > 0 && findStandIns(value).size > 0

/** Forgets stand-ins that have been moved. */
export const forget = (values: Iterable<object>): void => {
  for (const value of values) {
    if (!standIns.views.delete(value)) continue
    standIns.viewCount--
    dropped.unregister(value)
  }
}

const transferable = (value: object): object => ArrayBuffer.isView(value) ? value.buffer : value

/** Whether a buffer, or that of a view, was moved before: it is empty. */
export const isDetached = (value: object): boolean => {
  const buffer = transferable(value)
  return buffer instanceof ArrayBuffer && buffer.detached
}

/** The values that stand-ins in a value stand for, at any depth. */
export const findStandIns = (value: unknown, seen = new Set<object>(), found = new Set<object>()): Set<object> => {
  if (typeof value !== "object" || value === null || seen.has(value)) return found
  seen.add(value)
  const moved = movedValue(value)
  if (moved !== undefined) found.add(moved)
  else if (!ArrayBuffer.isView(value)) { for (const part of parts(value)) findStandIns(part, seen, found) }
  return found
}

/** The marked values that a value contains, at any depth. */
export const findMoved = (
  value: unknown,
  marked: Pick<WeakSet<object>, "has">,
  seen = new Set<object>(),
  found = new Set<object>()
): Set<object> => {
  if (typeof value !== "object" || value === null || seen.has(value)) return found
  seen.add(value)
  if (marked.has(value)) found.add(value)
  else if (!ArrayBuffer.isView(value)) { for (const part of parts(value)) findMoved(part, marked, seen, found) }
  return found
}

const parts = (value: object): Iterable<unknown> =>
  value instanceof Map ? [...value.keys(), ...value.values()] : value instanceof Set ? value : Object.values(value)

/** Returns the value with some of its parts replaced, at any depth. Copies the objects around them; the value itself does not change. */
export const substitute = (
  value: unknown,
  replacement: (part: object) => object | undefined,
  copies = new Map<object, unknown>()
): unknown => {
  if (typeof value !== "object" || value === null) return value
  const replaced = replacement(value)
  if (replaced !== undefined) return replaced
  const known = copies.get(value)
  if (known !== undefined) return known
  const within = (part: unknown): unknown => substitute(part, replacement, copies)
  if (Array.isArray(value)) {
    const copy: Array<unknown> = []
    copies.set(value, copy)
    copy.length = value.length
    for (const name of Object.keys(value)) copy[name as unknown as number] = within(value[name as unknown as number])
    return copy
  }
  if (value instanceof Map) {
    const copy = new Map<unknown, unknown>()
    copies.set(value, copy)
    for (const [name, part] of value) copy.set(within(name), within(part))
    return copy
  }
  if (value instanceof Set) {
    const copy = new Set<unknown>()
    copies.set(value, copy)
    for (const part of value) copy.add(within(part))
    return copy
  }
  // An instance of a class that holds something to be replaced arrives as a plain object, as in any clone.
  if (!isPlain(value) && findStandIns(value).size === 0) return value
  const copy: object = {}
  copies.set(value, copy)
  for (const [name, part] of Object.entries(value)) {
    Object.defineProperty(copy, name, { value: within(part), enumerable: true, configurable: true, writable: true })
  }
  return copy
}

/** The transfer list that moves the values. */
export const transferables = (values: Iterable<object>): Array<object> =>
  Array.from(new Set(Array.from(values, transferable)))

/**
 * The entries of the transfer list that can be transferred. Memory of WebAssembly and of some
 * native addons cannot. A caller that moves the result of a codec does not know who allocated
 * it, so such memory is copied instead.
 */
export const transferring = (values: Iterable<object>): Array<object> => transferables(values).filter(canTransfer)

/** A function, which cannot be cloned: the transfer that fails because of it moves nothing. */
const unsendable = (): void => {}

const canTransfer = (value: object): boolean => {
  if (value instanceof ArrayBuffer && value.detached) return false
  try {
    structuredClone(unsendable, { transfer: [value] })
    return true
  } catch (error) {
    // The transfer list is checked first, so an error about the value means that the list is fine.
    return String(error).includes("could not be cloned")
  }
}

/** Detaches values from their owner that were copied although they should have been moved. */
export const detach = (values: Iterable<object>): void => {
  for (const value of transferring(values)) {
    try {
      structuredClone(undefined, { transfer: [value] })
    } catch {
      // The owner keeps its copy, which does no other harm.
    }
  }
}
