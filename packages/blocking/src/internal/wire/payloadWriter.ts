/**
 * Writes values as payloads. See `payload.ts` for the form.
 *
 * Pool threads load this file: it imports nothing heavy.
 */
import type { PayloadPlatform } from "./payload.ts"
import * as payload from "./payload.ts"

/** Deeper values are left to structured clone: the reader may have less stack. Arbitrary. */
const maxDepth = 200

/** Up to this number of objects, a linear search finds repeated ones. Measured: above, a map is faster. */
const fewObjects = 16

/** Longer BigInts are left to structured clone: their digits take far longer to compute. Arbitrary. */
const maxBits = 4096

/** The keys of a `Shaped` object are counted in a byte. */
const maxKeys = 0xff

/** Bytes before the keys of a `Shaped` object. */
const shapedHeader = 4

/** Shorter strings are written by a loop. Measured: a call costs as much as about ten characters. */
const shortText = 12

const { getPrototypeOf, hasOwn, is, keys: keysOf, prototype: objectPrototype } = Object
const { isArray } = Array
const { isView } = ArrayBuffer
const { forEach: forEachEntry } = Map.prototype
const { forEach: forEachValue } = Set.prototype
const { getTime } = Date.prototype
const { asIntN } = BigInt

/** The target of payloads. */
export interface PayloadSink {
  /** Called when the memory is full: gives the writer other memory, by `moveTo`, or returns `false`. */
  readonly grow: (writer: PayloadWriter, needed: number) => boolean
  /** Buffers of at least this length are not written, but become parts, which are sent by message. */
  readonly partLength: number
}

export class PayloadWriter {
  /** Where the payload begins, after `write`. */
  start = 0
  /** Where it ends. */
  at = 0
  /** Copied buffers of the payload that have to be sent beside it. */
  parts: Array<ArrayBuffer> = []
  private end = 0
  private memory!: payload.PayloadMemory
  private writing = false
  private depth = 0
  private readonly objects: Array<object> = []
  private numbers: Map<object, number> | undefined
  /** Partially written buffers. */
  private readonly partial: Array<object> = []
  private readonly sink: PayloadSink
  private readonly platform: PayloadPlatform

  constructor(sink: PayloadSink, platform: PayloadPlatform) {
    this.sink = sink
    this.platform = platform
  }

  get isWriting(): boolean {
    return this.writing
  }

  /**
   * Writes a value from `start` on. `false`: a part of it is not supported, or
   * cannot be read; the memory then holds no valid payload.
   */
  write(value: unknown, memory: payload.PayloadMemory, start: number, end: number): boolean {
    // A getter of the value has called back into here.
    if (this.writing) return false
    this.writing = true
    if (this.parts.length > 0) this.parts = []
    this.memory = memory
    this.start = start
    this.at = start
    this.end = end
    try {
      if (!this.reserve(payload.headerLength)) return false
      this.at += payload.headerLength
      if (!this.put(value)) return false
      this.memory.view.setUint32(this.start, this.at - this.start, true)
      return true
    } catch {
      // The clone that follows will report a getter that throws.
      return false
    } finally {
      this.writing = false
      this.depth = 0
      this.objects.length = 0
      this.numbers = undefined
      this.partial.length = 0
    }
  }

  /** Continues in other memory, to which the payload so far is copied. */
  moveTo(memory: payload.PayloadMemory, start: number, end: number): void {
    memory.bytes.set(this.memory.bytes.subarray(this.start, this.at), start)
    this.at += start - this.start
    this.start = start
    this.end = end
    this.memory = memory
  }

  private reserve(length: number): boolean {
    return this.at + length <= this.end || this.sink.grow(this, length)
  }

  private put(value: unknown): boolean {
    switch (typeof value) {
      case "number":
        return this.putNumber(value)
      case "string":
        return this.putText(value)
      case "boolean":
        return this.putTag(value ? payload.True : payload.False)
      case "undefined":
        return this.putTag(payload.Undefined)
      case "bigint": {
        if (asIntN(maxBits, value) !== value) return false
        const text = String(value)
        if (!this.putCount(payload.BigInteger, text.length, text.length)) return false
        this.memory.text.write(text, this.at)
        this.at += text.length
        return true
      }
      case "object":
        return value === null ? this.putTag(payload.Null) : this.putObject(value)
      default:
        return false
    }
  }

  private putTag(tag: number): boolean {
    if (!this.reserve(1)) return false
    this.memory.bytes[this.at++] = tag
    return true
  }

  /** Writes a tag and a count, and reserves `room` bytes after them. */
  private putCount(tag: number, count: number, room: number): boolean {
    if (!this.reserve(5 + room)) return false
    this.memory.bytes[this.at] = tag
    this.memory.view.setUint32(this.at + 1, count, true)
    this.at += 5
    return true
  }

  private putNumber(value: number): boolean {
    if (!this.reserve(9)) return false
    const { bytes, view } = this.memory
    if ((value | 0) === value && !is(value, -0)) {
      bytes[this.at] = payload.Int32
      view.setInt32(this.at + 1, value, true)
      this.at += 5
    } else {
      bytes[this.at] = payload.Float64
      view.setFloat64(this.at + 1, value, true)
      this.at += 9
    }
    return true
  }

  private putText(text: string): boolean {
    const { length } = text
    if (length <= shortText) {
      if (!this.reserve(2 + length)) return false
      const { bytes } = this.memory
      let { at } = this
      bytes[at++] = payload.ShortText
      bytes[at++] = length
      let all = 0
      for (let i = 0; i < length; i++) {
        const code = text.charCodeAt(i)
        all |= code
        bytes[at++] = code
      }
      if (all <= 0xff) {
        this.at = at
        return true
      }
    } else if (this.memory.text.isAscii(text)) {
      if (length <= 0xff) {
        if (!this.reserve(2 + length)) return false
        this.memory.bytes[this.at] = payload.ShortText
        this.memory.bytes[this.at + 1] = length
        this.at += 2
      } else if (!this.putCount(payload.Text, length, length)) {
        return false
      }
      this.memory.text.write(text, this.at)
      this.at += length
      return true
    }
    if (!this.putCount(payload.WideText, length, length * 2)) return false
    this.memory.text.writeWide(text, this.at)
    this.at += length * 2
    return true
  }

  private putObject(value: object): boolean {
    const known = this.numberOf(value)
    if (known !== undefined) return !this.partial.includes(value) && this.putCount(payload.Known, known, 0)
    if (this.platform.isProxy(value) || ++this.depth > maxDepth) return false
    this.number(value)
    const put = isArray(value)
      ? this.putArray(value)
      : isPlain(value)
      ? this.putPlain(value as Record<string, unknown>)
      : isView(value)
      ? this.putView(value)
      : this.putOther(value)
    this.depth--
    return put
  }

  /** The number of an object that occurred before. */
  private numberOf(value: object): number | undefined {
    const { numbers, objects } = this
    if (numbers !== undefined) return numbers.get(value)
    for (let i = 0; i < objects.length; i++) if (objects[i] === value) return i
    return undefined
  }

  private number(value: object): void {
    const { objects } = this
    if (this.numbers === undefined) {
      objects.push(value)
      if (objects.length > fewObjects) this.numbers = new Map(objects.map((object, i) => [object, i]))
    } else {
      this.numbers.set(value, this.numbers.size)
    }
  }

  private putArray(list: ReadonlyArray<unknown>): boolean {
    const { length } = list
    const names = keysOf(list)
    // With as many keys as elements, the last key shows whether these are exactly the elements.
    if (names.length !== length || (length > 0 && names[length - 1] !== String(length - 1))) {
      if (!this.putCount(payload.SparseList, length, 4)) return false
      this.memory.view.setUint32(this.at, names.length, true)
      this.at += 4
      return this.putEntries(list as never, names)
    }
    if (!this.putCount(payload.List, length, 0)) return false
    for (let i = 0; i < length; i++) if (!this.putField(list as never, i as never)) return false
    return true
  }

  private putPlain(object: Record<string, unknown>): boolean {
    const names = keysOf(object)
    const count = names.length
    if (count > maxKeys) return this.putRecord(object, names)
    if ((count === 0 || names[0] === "0") && this.platform.isOpaque(object)) return false
    if (!this.reserve(shapedHeader)) return false
    const from = this.at - this.start
    this.memory.bytes[this.at] = payload.Shaped
    this.memory.bytes[this.at + 1] = count
    this.at += shapedHeader
    for (let i = 0; i < count; i++) {
      const name = names[i]!
      const { length } = name
      if (length > 0xff || name === "__proto__") return this.putRecordFrom(from, object, names)
      if (!this.reserve(1 + length)) return false
      const { bytes } = this.memory
      let { at } = this
      bytes[at++] = length
      let all = 0
      for (let k = 0; k < length; k++) {
        const code = name.charCodeAt(k)
        all |= code
        bytes[at++] = code
      }
      if (all > 0xff) return this.putRecordFrom(from, object, names)
      this.at = at
    }
    const at = this.start + from
    this.memory.view.setUint16(at + 2, this.at - at - shapedHeader, true)
    for (let i = 0; i < count; i++) if (!this.putField(object, names[i]!)) return false
    return true
  }

  private putField(object: Record<string, unknown>, name: string): boolean {
    const value = object[name]
    // An earlier getter has deleted the key: left to structured clone.
    return (value !== undefined || hasOwn(object, name)) && this.put(value)
  }

  /** Restarts an object as a `Record`: one of its keys does not fit into a `Shaped`. */
  private putRecordFrom(from: number, object: Record<string, unknown>, names: ReadonlyArray<string>): boolean {
    this.at = this.start + from
    return this.putRecord(object, names)
  }

  private putRecord(object: Record<string, unknown>, names: ReadonlyArray<string>): boolean {
    return this.putCount(payload.Record, names.length, 0) && this.putEntries(object, names)
  }

  private putEntries(object: Record<string, unknown>, names: ReadonlyArray<string>): boolean {
    for (const name of names) if (!this.putText(name) || !this.putField(object, name)) return false
    return true
  }

  private putView(view: ArrayBufferView): boolean {
    const kind = payload.kindOfView(view)
    if (kind === undefined) return false
    const { buffer, length, offset } = payload.extentOf(kind, view)
    if (!payload.isOrdinary(buffer) || this.numberOf(buffer) !== undefined) return false
    this.number(buffer)
    // Only this part of the buffer is written: the rest may belong to its neighbours.
    if (length !== payload.lengthOfBuffer.call(buffer)) this.partial.push(buffer)
    return this.putBytes(kind, buffer, offset, length)
  }

  private putBytes(kind: number, buffer: ArrayBuffer, offset: number, length: number): boolean {
    const isPart = length >= this.sink.partLength
    if (!this.reserve(6 + (isPart ? 0 : length))) return false
    const { bytes, view } = this.memory
    bytes[this.at] = isPart ? payload.Part : payload.Bytes
    bytes[this.at + 1] = kind
    view.setUint32(this.at + 2, isPart ? this.parts.length : length, true)
    this.at += 6
    if (isPart) {
      this.parts.push(this.platform.copyOf(buffer, offset, length))
    } else {
      bytes.set(new Uint8Array(buffer, offset, length), this.at)
      this.at += length
    }
    return true
  }

  private putOther(value: object): boolean {
    switch (getPrototypeOf(value)) {
      case Date.prototype: {
        const time = getTime.call(value as Date)
        if (!this.reserve(9)) return false
        this.memory.bytes[this.at] = payload.Time
        this.memory.view.setFloat64(this.at + 1, time, true)
        this.at += 9
        return true
      }
      case Map.prototype: {
        const parts: Array<unknown> = []
        forEachEntry.call(value as Map<unknown, unknown>, (part, key) => parts.push(key, part))
        return this.putCount(payload.MapOf, parts.length / 2, 0) && this.putAll(parts)
      }
      case Set.prototype: {
        const parts: Array<unknown> = []
        forEachValue.call(value as Set<unknown>, (part) => parts.push(part))
        return this.putCount(payload.SetOf, parts.length, 0) && this.putAll(parts)
      }
      case ArrayBuffer.prototype:
        return payload.isOrdinary(value) &&
          this.putBytes(payload.BufferKind, value, 0, payload.lengthOfBuffer.call(value))
      default:
        return false
    }
  }

  private putAll(parts: ReadonlyArray<unknown>): boolean {
    for (const part of parts) if (!this.put(part)) return false
    return true
  }
}

const isPlain = (value: object): boolean => {
  const prototype: unknown = getPrototypeOf(value)
  // A module namespace has no prototype either, and no clone accepts it.
  return prototype === objectPrototype || (prototype === null && !(Symbol.toStringTag in value))
}
