/**
 * Values that are moved instead of copied. `Task.move` gives a stand-in of the value, which
 * the call carries: nothing else knows of the mark, so it cannot be forgotten by a refusal,
 * nor be met by another call.
 *
 * Pool threads load this file: it imports nothing heavy.
 */
import { isPlain } from "./cloneable.ts"

declare const structuredClone: <A>(value: A, options?: { readonly transfer: ReadonlyArray<object> }) => A

interface StandIns {
  /** Of a view: another view of the same memory. It is used like any other, also by code that is no call of ours. */
  readonly views: WeakSet<object>
  /** How many of them are out. While it is 0, no argument has to be searched for them. */
  viewCount: number
  /** How many proxies are out, or were and are not collected. */
  proxyCount: number
  /** Of anything else: a proxy, by what is behind it. No clone takes it, so that where it is not at the top, a failed clone tells that it is there. */
  readonly proxies: WeakMap<object, object>
}

const key = Symbol.for("effect-blocking/StandIns")

/** Two copies of this package can meet in one thread: they know each other's stand-ins. */
const slot = globalThis as { [key]?: StandIns }

const standIns = slot[key] ??= { views: new WeakSet(), viewCount: 0, proxyCount: 0, proxies: new WeakMap() }

declare const FinalizationRegistry: new(callback: (count: "viewCount" | "proxyCount") => void) => {
  readonly register: (target: object, held: "viewCount" | "proxyCount", token: object) => void
  readonly unregister: (token: object) => void
}

/** A stand-in that was dropped, because its call never ran, slows nobody for long. */
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
  // Marked twice is marked.
  if (movedValue(value) !== undefined) return value
  // Of memory that is gone there is no other view: the call tells it.
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

/** What is to be moved in the place of a value; `undefined` if that is no stand-in. */
export const movedValue = (value: unknown): object | undefined => {
  if (typeof value !== "object" || value === null) return undefined
  return standIns.views.has(value) ? value : standIns.proxies.get(value)
}

/** Whether a search for stand-ins could find one that a clone does not. */
export const viewsAreOut = (): boolean => standIns.viewCount > 0

/** Whether there may be stand-ins in a value: otherwise it need not be searched. */
export const mayHoldStandIns = (value: unknown): boolean =>
  standIns.viewCount + standIns.proxyCount > 0 && findStandIns(value).size > 0

/** They have been moved. */
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

/** The stand-ins in a value, at any depth, by what they stand for. */
export const findStandIns = (value: unknown, seen = new Set<object>(), found = new Set<object>()): Set<object> => {
  if (typeof value !== "object" || value === null || seen.has(value)) return found
  seen.add(value)
  const moved = movedValue(value)
  if (moved !== undefined) found.add(moved)
  else if (!ArrayBuffer.isView(value)) { for (const part of parts(value)) findStandIns(part, seen, found) }
  return found
}

/** Those of the marked values that are in a value, at any depth. */
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

/** The value with some of its parts, at any depth, replaced; what holds them is copied, and the value itself left as it is. */
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

/** What a message has to transfer for the values to be moved. */
export const transferables = (values: Iterable<object>): Array<object> =>
  Array.from(new Set(Array.from(values, transferable)))

/**
 * Those that a message can really transfer. Memory of WebAssembly and of some native addons
 * cannot be: who moves what a codec returned does not know who allocated it, and it is
 * copied instead.
 */
export const transferring = (values: Iterable<object>): Array<object> => transferables(values).filter(canTransfer)

/** What no message can carry: a transfer that is refused because of it leaves everything where it was. */
const unsendable = (): void => {}

const canTransfer = (value: object): boolean => {
  if (value instanceof ArrayBuffer && value.detached) return false
  try {
    structuredClone(unsendable, { transfer: [value] })
    return true
  } catch (error) {
    // The list is looked at first: only when all of it can be transferred, the value is refused.
    return String(error).includes("could not be cloned")
  }
}

/** Leaves their owner without values that were copied where they should have been moved. */
export const detach = (values: Iterable<object>): void => {
  for (const value of transferring(values)) {
    try {
      structuredClone(undefined, { transfer: [value] })
    } catch {
      // It stays with its owner, who has a copy too many and nothing else.
    }
  }
}
