/**
 * Values marked by `Task.move` and not yet sent: they are moved by the message that carries them.
 *
 * The marks hang on `globalThis`, because two copies of this package can meet in one thread.
 */

interface Moved {
  readonly values: WeakSet<object>
  /** How many marks are out: while it is 0, nothing has to be searched for them. */
  count: number
}

const key = Symbol.for("effect-blocking/Moved")

const slot = globalThis as { [key]?: Moved }

const marks: Moved = slot[key] ??= { values: new WeakSet(), count: 0 }

/** Marks a value to be moved by the message that carries it. */
export const markMoved = (value: object): void => {
  if (marks.values.has(value)) return
  marks.values.add(value)
  marks.count++
}

/** Takes the marks of `Task.move` from a value and answers what its message has to transfer. */
export const takeMoved = (value: unknown): Array<object> | undefined => {
  if (marks.count === 0) return undefined
  const found = new Set<object>()
  try {
    collect(value, found, new Set())
  } catch {
    // A value that cannot be looked into cannot be sent either, and that is told where it is sent.
  }
  return found.size === 0 ? undefined : Array.from(found)
}

const collect = (value: unknown, found: Set<object>, seen: Set<object>): void => {
  if (typeof value !== "object" || value === null || seen.has(value)) return
  seen.add(value)
  if (marks.values.delete(value)) {
    marks.count--
    found.add(ArrayBuffer.isView(value) ? value.buffer : value)
  } else if (ArrayBuffer.isView(value)) {
    // Its elements are numbers: nothing to find.
  } else if (Array.isArray(value) || value instanceof Set) {
    for (const part of value) collect(part, found, seen)
  } else if (value instanceof Map) {
    for (const [key, part] of value) {
      collect(key, found, seen)
      collect(part, found, seen)
    }
  } else {
    for (const name of Object.keys(value)) collect((value as Record<string, unknown>)[name], found, seen)
  }
}
