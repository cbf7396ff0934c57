/**
 * Values that are moved instead of copied. `Task.move` returns a stand-in for the value, which
 * the call carries. The mark exists only in the stand-in, so a refused call leaves no trace,
 * and other calls are not affected.
 *
 * Pool threads load this file: it imports nothing heavy.
 */
import { isPlain } from "./cloneable.ts"

declare const structuredClone: <A>(value: A, options?: { readonly transfer: ReadonlyArray<object> }) => A

interface StandIns {
  /** Stand-ins for views: each is another view of the same memory, and works everywhere. */
  readonly views: WeakSet<object>
  /** How many of them are in use. While it is 0, no argument has to be searched for them. */
  viewCount: number
  /** How many proxies are in use, or not yet garbage-collected. */
  proxyCount: number
  /** Stand-ins for anything else: proxies, with their targets. A clone fails on them, and so reveals one that is not at the top. */
  readonly proxies: WeakMap<object, object>
}

const key = Symbol.for("effect-blocking/StandIns")

/** Two copies of this package can be loaded in one thread: they share their stand-ins. */
const slot = globalThis as { [key]?: StandIns }

const standIns = slot[key] ??= { views: new WeakSet(), viewCount: 0, proxyCount: 0, proxies: new WeakMap() }

declare const FinalizationRegistry: new(callback: (count: "viewCount" | "proxyCount") => void) => {
  readonly register: (target: object, held: "viewCount" | "proxyCount", token: object) => void
  readonly unregister: (token: object) => void
}

/** Forgets a stand-in whose call never ran, when it is garbage-collected. */
const dropped = new FinalizationRegistry((count) => {
  standIns[count]--
})

/** It can be read like the value. */
const handler: ProxyHandler<object> = {
  get: (value, name) => {
    const found: unknown = Reflect.get(value, name, value)
    return typeof found === "function" ? found.bind(value) : found
  },
  set: (value, name, part) => Reflect.set(value, name, part, value)
}

export const standIn = <A extends object>(value: A): A => {
  // Marking twice has no effect.
  if (movedValue(value) !== undefined) return value
  // Detached memory has no other view: the call will report it.
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

/** The value behind a stand-in; `undefined` if `value` is not a stand-in. */
export const movedValue = (value: unknown): object | undefined => {
  if (typeof value !== "object" || value === null) return undefined
  return standIns.views.has(value) ? value : standIns.proxies.get(value)
}

/** Whether a search for stand-ins could find one that a clone would miss. */
export const viewsAreOut = (): boolean => standIns.viewCount > 0

/** Whether a value may contain stand-ins: otherwise it need not be searched. */
export const mayHoldStandIns = (value: unknown): boolean =>
  standIns.viewCount + standIns.proxyCount > 0 && findStandIns(value).size > 0

/** The values have been moved: forgets their stand-ins. */
export const forget = (values: Iterable<object>): void => {
  for (const value of values) {
    if (!standIns.views.delete(value)) continue
    standIns.viewCount--
    dropped.unregister(value)
  }
}

const transferable = (value: object): object => ArrayBuffer.isView(value) ? value.buffer : value

/** Whether the value, a view of it or a buffer, has been moved before: it is empty. */
export const isDetached = (value: object): boolean => {
  const buffer = transferable(value)
  return buffer instanceof ArrayBuffer && buffer.detached
}

/** The values behind the stand-ins in a value, at any depth. */
export const findStandIns = (value: unknown, seen = new Set<object>(), found = new Set<object>()): Set<object> => {
  if (typeof value !== "object" || value === null || seen.has(value)) return found
  seen.add(value)
  const moved = movedValue(value)
  if (moved !== undefined) found.add(moved)
  else if (!ArrayBuffer.isView(value)) { for (const part of parts(value)) findStandIns(part, seen, found) }
  return found
}

/** The marked values that occur in a value, at any depth. */
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

/** Replaces parts of a value at any depth; copies the objects that hold them, and leaves the value itself unchanged. */
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
  // An instance of a class with a part to replace arrives as a plain object, as in any clone.
  if (!isPlain(value) && findStandIns(value).size === 0) return value
  const copy: object = {}
  copies.set(value, copy)
  for (const [name, part] of Object.entries(value)) {
    Object.defineProperty(copy, name, { value: within(part), enumerable: true, configurable: true, writable: true })
  }
  return copy
}

/** The objects that a message has to transfer to move the values. */
export const transferables = (values: Iterable<object>): Array<object> =>
  Array.from(new Set(Array.from(values, transferable)))

/**
 * The transferable ones. WebAssembly and some native-addon memory is not transferable and is copied.
 */
export const transferring = (values: Iterable<object>): Array<object> => transferables(values).filter(canTransfer)

/** A value that no message can carry: a transfer that fails because of it moves nothing. */
const unsendable = (): void => {}

const canTransfer = (value: object): boolean => {
  if (value instanceof ArrayBuffer && value.detached) return false
  try {
    structuredClone(unsendable, { transfer: [value] })
    return true
  } catch (error) {
    // The transfer list is checked first: the value is refused only when the whole list can be transferred.
    return String(error).includes("could not be cloned")
  }
}

/** Detaches values that were copied instead of moved: their owner loses them. */
export const detach = (values: Iterable<object>): void => {
  for (const value of transferring(values)) {
    try {
      structuredClone(undefined, { transfer: [value] })
    } catch {
      // The owner keeps it: the one cost is an extra copy.
    }
  }
}
