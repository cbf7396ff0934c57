/**
 * Reads values from payloads in memory. See `payload.ts` for the form.
 *
 * Pool threads load this file: it imports nothing heavy.
 */
import * as payload from "./payload.ts"

/** Thrown for memory without a valid payload: a fault of this library, or of code that has overwritten its memory. */
export class BrokenPayload extends Error {
  constructor(what: string) {
    super(`effect-blocking: a value in shared memory could not be read: ${what}`)
  }
}

/** How many shapes are cached. Arbitrary: more than a program has; only keys that are data have more. */
const maxShapes = 1000

/** The keys of an object, and a template object with these keys. */
interface Shape {
  readonly names: ReadonlyArray<string>
  readonly bytes: Uint8Array
  readonly template: object
}

export class PayloadReader {
  private memory!: payload.PayloadMemory
  private at = 0
  private parts: ReadonlyArray<ArrayBuffer> = noParts
  private readonly objects: Array<object> = []
  /** By the hash of their keys; `undefined` for one that was seen once. */
  private readonly shapes = new Map<number, Shape | undefined>()

  /** The value of the payload that begins at `start`. */
  read(memory: payload.PayloadMemory, start: number, parts: ReadonlyArray<ArrayBuffer> = noParts): unknown {
    const length = memory.lengthOf(start)
    this.memory = memory
    this.at = start + payload.headerLength
    this.parts = parts
    this.objects.length = 0
    const value = this.take()
    this.objects.length = 0
    this.parts = noParts
    if (this.at !== start + length) {
      throw new BrokenPayload(`it should end at ${start + length} and ends at ${this.at}`)
    }
    return value
  }

  private take(): unknown {
    const { bytes, view } = this.memory
    const tag = bytes[this.at++]!
    switch (tag) {
      case payload.Undefined:
        return undefined
      case payload.Null:
        return null
      case payload.True:
        return true
      case payload.False:
        return false
      case payload.Int32: {
        const value = view.getInt32(this.at, true)
        this.at += 4
        return value
      }
      case payload.Float64:
        return this.takeFloat()
      case payload.ShortText:
        return this.takeText(bytes[this.at++]!)
      case payload.Text:
        return this.takeText(this.takeLength(1))
      case payload.WideText: {
        const length = this.takeLength(2)
        this.at += length
        return this.memory.text.readWide(this.at - length, this.at)
      }
      case payload.BigInteger:
        return BigInt(this.takeText(this.takeLength(1)))
      case payload.List: {
        const length = this.takeCount()
        const list: Array<unknown> = []
        this.objects.push(list)
        for (let i = 0; i < length; i++) list.push(this.take())
        return list
      }
      case payload.SparseList: {
        const list: Array<unknown> = []
        this.objects.push(list)
        list.length = this.takeCount()
        return this.takeEntries(list, this.takeCount())
      }
      case payload.Shaped:
        return this.takeShaped()
      case payload.Record: {
        const object = {}
        this.objects.push(object)
        return this.takeEntries(object, this.takeCount())
      }
      case payload.Time: {
        const time = new Date(this.takeFloat())
        this.objects.push(time)
        return time
      }
      case payload.MapOf: {
        const map = new Map<unknown, unknown>()
        this.objects.push(map)
        for (let left = this.takeCount(); left > 0; left--) map.set(this.take(), this.take())
        return map
      }
      case payload.SetOf: {
        const set = new Set<unknown>()
        this.objects.push(set)
        for (let left = this.takeCount(); left > 0; left--) set.add(this.take())
        return set
      }
      case payload.Bytes: {
        const kind = bytes[this.at++]!
        const length = this.takeLength(1)
        const buffer = this.memory.copyOf(this.at, length)
        this.at += length
        return this.keep(kind, buffer)
      }
      case payload.Part: {
        const kind = bytes[this.at++]!
        const buffer = this.parts[this.takeCount()]
        if (buffer === undefined) throw new BrokenPayload("a part of it has not arrived")
        return this.keep(kind, buffer)
      }
      case payload.Known: {
        const object = this.objects[this.takeCount()]
        if (object === undefined) throw new BrokenPayload("it refers to a missing object")
        return object
      }
      default:
        throw new BrokenPayload(`it has an unknown tag ${tag}`)
    }
  }

  private takeCount(): number {
    const count = this.memory.view.getUint32(this.at, true)
    this.at += 4
    return count
  }

  /** Reads a count, and returns the length in bytes. */
  private takeLength(unit: number): number {
    const length = this.takeCount() * unit
    if (this.at + length > this.memory.bytes.length) throw new BrokenPayload("it extends beyond its memory")
    return length
  }

  private takeFloat(): number {
    const value = this.memory.view.getFloat64(this.at, true)
    this.at += 8
    return value
  }

  private takeText(length: number): string {
    const { at } = this
    this.at += length
    return length === 0 ? "" : this.memory.text.read(at, at + length)
  }

  /** Makes a view or a buffer, and numbers it as the writer did. */
  private keep(kind: number, buffer: ArrayBuffer): object {
    const object = payload.viewOf(kind, buffer)
    this.objects.push(object)
    if (object !== buffer) this.objects.push(buffer)
    return object
  }

  private takeEntries(object: object, count: number): object {
    for (let i = 0; i < count; i++) {
      const name = this.take() as string
      const value = this.take()
      // Also works for `__proto__`, which an assignment would not add.
      field.value = value
      Object.defineProperty(object, name, field)
    }
    field.value = undefined
    return object
  }

  private takeShaped(): object {
    const { bytes, view } = this.memory
    const count = bytes[this.at]!
    const length = view.getUint16(this.at + 1, true)
    const start = this.at + 3
    const end = start + length
    let hash = count
    for (let i = start; i < end; i++) hash = Math.imul(hash ^ bytes[i]!, 0x01000193)
    this.at = end
    const shape = this.shapes.get(hash)
    if (shape === undefined || !isSame(shape.bytes, bytes, start, length)) {
      return this.takeUnknownShape(hash, start, count)
    }
    const { names } = shape
    const object: Record<string, unknown> = { ...shape.template }
    this.objects.push(object)
    for (let i = 0; i < count; i++) object[names[i]!] = this.take()
    return object
  }

  private takeUnknownShape(hash: number, start: number, count: number): object {
    const end = this.at
    const names: Array<string> = []
    this.at = start
    for (let i = 0; i < count; i++) names.push(this.takeText(this.memory.bytes[this.at++]!))
    if (this.at !== end) throw new BrokenPayload("its keys have another length")
    // Not by assignment, which a modified `Object.prototype` could forbid.
    const object: Record<string, unknown> = Object.fromEntries(names.map((name) => [name, undefined]))
    if (this.shapes.size >= maxShapes) this.shapes.clear()
    // Keys that are seen only once are data, and not worth a shape.
    const isKnown = this.shapes.has(hash)
    this.shapes.set(
      hash,
      isKnown ? { names, bytes: this.memory.bytes.slice(start, end), template: { ...object } } : undefined
    )
    this.objects.push(object)
    for (const name of names) object[name] = this.take()
    return object
  }
}

/** The descriptor of a field, as in a clone. It inherits nothing from a modified `Object.prototype`. */
const field: PropertyDescriptor = Object.assign(Object.create(null) as object, {
  value: undefined,
  configurable: true,
  enumerable: true,
  writable: true
})

const noParts: ReadonlyArray<ArrayBuffer> = []

const isSame = (expected: Uint8Array, bytes: Uint8Array, start: number, length: number): boolean => {
  if (expected.length !== length) return false
  for (let i = 0; i < length; i++) if (bytes[start + i] !== expected[i]) return false
  return true
}
