/**
 * Encodes values that cross between two processes, as a structured clone writes them. Refuses
 * those that only threads of one process can share or transfer.
 *
 * Pool processes load this file.
 */
import { types } from "node:util"
import { deserialize, Serializer } from "node:v8"

class ValueSerializer extends Serializer {
  _writeHostObject(object: object): never {
    throw new TypeError(refused(object))
  }

  _getSharedArrayBufferId(): never {
    throw new TypeError("a SharedArrayBuffer cannot be shared with another process")
  }
}

const refused = (object: object): string => {
  const name = object.constructor?.name ?? "native object"
  return `${/^[AEIO]/.test(name) ? "an" : "a"} ${name} cannot be sent to another process`
}

/** Encodes a value. Throws if it cannot cross. */
export const encode = (value: unknown): Uint8Array => {
  const serializer = new ValueSerializer()
  serializer.writeHeader()
  serializer.writeValue(checked(value))
  return serializer.releaseBuffer()
}

export const decode = (bytes: Uint8Array): unknown => deserialize(bytes)

/**
 * The serializer knows no classes: it would write a URL or a Blob as a plain object, without
 * its content. A structured clone refuses the values that threads refuse, and turns instances
 * of the program's classes into plain objects. It keeps objects that only Node can clone;
 * these are refused here.
 */
const checked = (value: unknown): unknown => {
  const found = findClass(value)
  if (found === undefined) return value
  let clone: unknown
  try {
    clone = structuredClone(value)
  } catch (error) {
    // Nothing can be transferred to another process.
    throw error instanceof DOMException && error.message.includes("transfer") ? new TypeError(refused(found)) : error
  }
  const kept = findClass(clone)
  if (kept !== undefined) throw new TypeError(refused(kept))
  return clone
}

/** Whether a structured clone of the object is empty: Effect's `Redacted`, and some platform classes. */
const isHollow = (object: object): boolean =>
  "~effect/Redacted" in object || object instanceof AbortSignal || object instanceof AbortController

/** The first object in a value that is neither plain nor of the language itself. Throws if an object would arrive empty. */
const findClass = (value: unknown): object | undefined => {
  if (typeof value !== "object" || value === null) return undefined
  const seen = new Set<unknown>([value])
  let found: object | undefined
  // The set grows during the iteration.
  for (const object of seen as Set<object>) {
    if (Array.isArray(object) || isPlain(object)) {
      addAll(seen, Object.values(object))
    } else if (types.isMap(object)) {
      addAll(seen, Map.prototype.keys.call(object))
      addAll(seen, Map.prototype.values.call(object))
    } else if (types.isSet(object)) {
      addAll(seen, Set.prototype.values.call(object))
    } else if (types.isNativeError(object)) {
      addAll(seen, [object.cause])
    } else if (!isOfLanguage(object)) {
      if (isHollow(object)) throw new TypeError(refused(object))
      found ??= object
      addAll(seen, Object.values(object))
    }
  }
  return found
}

const addAll = (seen: Set<unknown>, parts: Iterable<unknown>): void => {
  for (const part of parts) if (typeof part === "object" && part !== null) seen.add(part)
}

/** Recognizes plain objects of any realm. */
const isPlain = (object: object): boolean => {
  const prototype = Object.getPrototypeOf(object)
  return prototype === Object.prototype || prototype === null ||
    (Object.getPrototypeOf(prototype) === null && Object.hasOwn(prototype, "isPrototypeOf"))
}

const isOfLanguage = (object: object): boolean =>
  types.isArrayBufferView(object) || types.isAnyArrayBuffer(object) || types.isDate(object) ||
  types.isRegExp(object) || types.isBoxedPrimitive(object)
