/**
 * Recognizes objects of any realm: errors, maps and plain objects made in a
 * `node:vm` context fail `instanceof`.
 *
 * Pool threads load this file: it imports nothing.
 */

const isNativeError = (Error as { readonly isError?: (value: unknown) => boolean }).isError ?? (() => false)

const tagOf = (value: object): string => Object.prototype.toString.call(value)

/** Whether the value is an error, of any realm, even if its class was made without `class`. */
export const isError = (value: unknown): value is Error => {
  if (typeof value !== "object" || value === null) return false
  try {
    if (value instanceof Error || isNativeError(value)) return true
    const tag = tagOf(value)
    return (tag === "[object Error]" && !isPlain(value)) || tag === "[object DOMException]"
  } catch {
    // A proxy that is revoked, or throws.
    return false
  }
}

/** Recognizes a kind of object by a getter that throws for all others. */
const hasSlot = (getter: () => unknown) => (value: object): boolean => {
  try {
    getter.call(value)
    return true
  } catch {
    return false
  }
}

const getterOf = (prototype: object, name: string): () => unknown =>
  Object.getOwnPropertyDescriptor(prototype, name)!.get!

export const isMap: (value: object) => value is Map<unknown, unknown> = hasSlot(
  getterOf(Map.prototype, "size")
) as never

export const isSet: (value: object) => value is Set<unknown> = hasSlot(getterOf(Set.prototype, "size")) as never

/** Whether it is an object literal: its prototype is the `Object.prototype` of a realm, or `null`. */
export const isPlain = (value: object): boolean => {
  const prototype = Object.getPrototypeOf(value)
  return prototype === Object.prototype || prototype === null ||
    (Object.getPrototypeOf(prototype) === null && Object.hasOwn(prototype, "isPrototypeOf"))
}

const RedactedTypeId = "~effect/Redacted"

/** Built-ins that structured clone silently turns into empty objects. */
const clonesEmpty = new Set<unknown>(["AbortController", "AbortSignal"])

/**
 * Why an object that can be cloned is still refused: it would arrive empty.
 * The value of Effect's `Redacted` is tied to its identity, which a copy does not have.
 */
export const whyLost = (value: object): string | undefined => {
  if (RedactedTypeId in value) {
    return "a Redacted loses its value on the way: send Redacted.value(x), or use Task.schema"
  }
  const tag = (value as { readonly [Symbol.toStringTag]?: unknown })[Symbol.toStringTag]
  if (!clonesEmpty.has(tag) || isPlain(value)) return undefined
  return `an ${String(tag)} cannot be sent to another thread`
}
