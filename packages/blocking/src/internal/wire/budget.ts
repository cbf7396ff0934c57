/**
 * Bounds the size of an error that a thread reports: a log or a person reads it,
 * and a message of a hundred megabytes would block both threads.
 *
 * Pool threads load this file: it imports nothing.
 */

/** Characters of one text, at most. Arbitrary: longer than any stack. */
const maxText = 64 * 1024

/** The total, at most: characters, bytes, and one for each other value. Arbitrary: enough for a chain of 20 000 causes with their stacks. */
const maxSize = 32 * 1024 * 1024

export class Budget {
  private left = maxSize

  /** Whether nothing more is reported. */
  get isSpent(): boolean {
    return this.left <= 0
  }

  /** The value, if it fits (for an object, without its parts), or a text in its place. */
  spend(value: unknown): unknown {
    if (this.isSpent) return "[left out: too much]"
    this.left--
    if (typeof value === "string") return this.shortened(value)
    const bytes = bytesOf(value)
    if (bytes > this.left) return `[${bytes} bytes left out]`
    this.left -= bytes
    return value
  }

  private shortened(text: string): string {
    const kept = Math.max(0, Math.min(text.length, maxText, this.left))
    this.left -= kept
    return kept === text.length ? text : `${text.slice(0, kept)} [${text.length - kept} more characters left out]`
  }
}

const bytesOf = (value: unknown): number => {
  if (ArrayBuffer.isView(value)) return value.byteLength
  return value instanceof ArrayBuffer || value instanceof SharedArrayBuffer ? value.byteLength : 0
}
