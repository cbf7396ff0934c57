/**
 * What an object is, whichever realm it is from: errors, maps and plain objects made in a
 * `node:vm` context are none by `instanceof`.
 *
 * Pool threads load this file: it imports nothing.
 */

const isNativeError = (Error as { readonly isError?: (value: unknown) => boolean }).isError ?? (() => false)

const tagOf = (value: object): string => Object.prototype.toString.call(value)

/** Of its own, or any, realm; so are those whose class was made without `class`. */
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

/** Whether a getter that only objects of its kind have can be called. */
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

/** An object literal: its prototype is the `Object.prototype` of a realm, or none. */
export const isPlain = (value: object): boolean => {
  const prototype = Object.getPrototypeOf(value)
  return prototype === Object.prototype || prototype === null ||
    (Object.getPrototypeOf(prototype) === null && Object.hasOwn(prototype, "isPrototypeOf"))
}

const RedactedTypeId = "~effect/Redacted"

/** Effect's `Redacted`, whose value hangs on its identity: no copy has it. */
export const isRedacted = (value: object): boolean => RedactedTypeId in value

/** Why a `Redacted` is refused. */
export const redacted = "a Redacted loses its value on the way: send Redacted.value(x), or use Task.schema"
