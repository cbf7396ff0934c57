/**
 * Keeps what a thread reports of an error within bounds: it is for a log or a person to read,
 * and a message of a hundred megabytes would hold up both threads.
 *
 * Pool threads load this file: it imports nothing.
 */

/** Characters of one text. Arbitrary: no stack is as long. */
const maxText = 64 * 1024

/** Of everything together: characters, bytes, and one for each other value. Arbitrary. */
const maxSize = 1024 * 1024

interface Budget {
  left: number
  readonly seen: Set<object>
}

/** Shortens, in place, an encoded value that is too large: of data, and of arrays and plain objects at any depth. */
export const bounded = (value: unknown): unknown => bound(value, { left: maxSize, seen: new Set() })

const bound = (value: unknown, budget: Budget): unknown => {
  budget.left--
  if (typeof value === "string") return shortened(value, budget)
  if (typeof value !== "object" || value === null || budget.seen.has(value)) return value
  budget.seen.add(value)
  if (budget.left <= 0) return leftOut
  const bytes = bytesOf(value)
  if (bytes > 0) {
    if (bytes > budget.left) return `[${bytes} bytes left out]`
    budget.left -= bytes
    return value
  }
  if (value instanceof Map || value instanceof Set) {
    if (value.size > budget.left) return `[${value.size} entries left out]`
    budget.left -= value.size
    return value
  }
  for (const key of Object.keys(value)) {
    const property = Object.getOwnPropertyDescriptor(value, key)!
    if (!("value" in property)) continue
    const kept = budget.left <= 0 ? leftOut : bound(property.value, budget)
    if (kept !== property.value) Object.defineProperty(value, key, { ...property, value: kept })
  }
  return value
}

const shortened = (text: string, budget: Budget): string => {
  const kept = Math.max(0, Math.min(text.length, maxText, budget.left))
  budget.left -= kept
  return kept === text.length ? text : `${text.slice(0, kept)} [${text.length - kept} more characters left out]`
}

const bytesOf = (value: object): number => {
  if (ArrayBuffer.isView(value)) return value.byteLength
  return value instanceof ArrayBuffer || value instanceof SharedArrayBuffer ? value.byteLength : 0
}

const leftOut = "[left out: too much]"
