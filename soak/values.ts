/** Values for the soak of payloads. Any thread can make the same value again from its seed. */
import { plainValue } from "../packages/blocking/test/utils/plainValue.ts"
import { random } from "../packages/blocking/test/utils/random.ts"

type Next = (below: number) => number

const alphabets = ["abc xyz", "äöü\xffabc", "\u0100Ж漢", "\u{1F600}x", "\uD800\uDC00\uDFFF", "\0\x7f\x80"]

const text = (next: Next, length: number): string => {
  const alphabet = alphabets[next(alphabets.length)]!
  let made = ""
  // Concatenated from pieces (a rope in V8), like texts in real programs.
  while (made.length < length) made += alphabet.slice(next(alphabet.length)).repeat(1 + next(4))
  return made.slice(0, length)
}

const bytes = (next: Next, length: number): Uint8Array<ArrayBuffer> => {
  const made = new Uint8Array(length)
  const seed = next(2 ** 31)
  for (let i = 0; i < length; i += 97) made[i] = seed >> (i % 24)
  return made
}

const views = [Int16Array, Uint8ClampedArray, Float64Array, BigInt64Array, Uint32Array]

/** Records as from a database. Some have keys that are data. */
const records = (next: Next, count: number): Array<unknown> => {
  const own = next(4) === 0
  return Array.from({ length: count }, (_, i) => ({
    id: i + next(1000),
    name: text(next, next(20)),
    [own ? `key ${next(100_000)}` : "score"]: next(2) === 0 ? -0 : next(1000) / 7,
    tags: Array.from({ length: next(3) }, () => text(next, 3)),
    at: new Date(next(2 ** 31)),
    none: null
  }))
}

class Point {
  readonly x: number
  constructor(x: number) {
    this.x = x
  }
}

/** Values that are cloneable, but are not sent as payloads. */
const posted = (next: Next): unknown => {
  switch (next(6)) {
    case 0:
      return /pattern/gi
    case 1:
      return new Point(next(100))
    case 2:
      return Object(text(next, 5))
    case 3:
      return new Uint8Array(new ArrayBuffer(8, { maxByteLength: 16 })).fill(next(256))
    case 4: {
      const buffer = bytes(next, 32).buffer
      return [new Uint8Array(buffer), new Uint8Array(buffer, 8)]
    }
    default: {
      let deep: unknown = next(100)
      for (let i = 0; i < 250; i++) deep = [deep]
      return deep
    }
  }
}

/** The length of the longest parts. */
export type Size = "tiny" | "small" | "any" | "huge"

const lengths = { tiny: 0, small: 300, any: 40_000, huge: 2_000_000 }

export const valueOf = (seed: number, size: Size): unknown => {
  const next = random(seed)
  if (size === "tiny") return { seed, text: text(next, next(20)), not: [-0, null, undefined] }
  const long = (): number => next(next(4) > 0 ? 300 : lengths[size])
  const value = (depth: number): unknown => {
    switch (next(depth > 2 ? 7 : 11)) {
      case 0:
      case 1:
        return plainValue(next(2 ** 31))
      case 2:
        return text(next, next(next(3) > 0 ? 40 : Math.min(long(), 200_000)))
      case 3:
        return bytes(next, long())
      case 4: {
        const View = views[next(views.length)]!
        // Often a part of a buffer.
        const offset = 8 * next(3)
        return new View(bytes(next, offset + 8 * (long() >> 3)).buffer, offset)
      }
      case 5:
        return next(10) === 0 ? posted(next) : next(2 ** 32) - 2 ** 31
      case 6:
        return records(next, next(next(3) > 0 ? 4 : Math.min(lengths[size] >> 8, 2000)))
      case 7:
        return new Map(Array.from({ length: next(5) }, (_, i) => [next(2) === 0 ? i : `key ${i}`, value(depth + 1)]))
      case 8:
        return new Set(Array.from({ length: next(5) }, () => value(depth + 1)))
      case 9:
        return Array.from({ length: next(6) }, () => value(depth + 1))
      default: {
        const object: Record<string, unknown> = { seed }
        for (let i = next(6); i > 0; i--) object[`field${i}`] = value(depth + 1)
        return object
      }
    }
  }
  return { seed, value: value(0) }
}

/** Whether `arrived` equals a clone of `made`. The bytes around a view are not compared. */
export const isArrived = (arrived: unknown, made: unknown): boolean => isSame(arrived, structuredClone(made), new Map())

const isSame = (one: unknown, other: unknown, met: Map<object, object>): boolean => {
  if (typeof one !== "object" || one === null || typeof other !== "object" || other === null) {
    return Object.is(one, other)
  }
  const before = met.get(one)
  if (before !== undefined) return before === other
  met.set(one, other)
  if (Object.getPrototypeOf(one) !== Object.getPrototypeOf(other)) return false
  if (ArrayBuffer.isView(one)) return bytesOf(one).equals(bytesOf(other as ArrayBufferView))
  if (one instanceof ArrayBuffer) return Buffer.from(one).equals(Buffer.from(other as ArrayBuffer))
  if (one instanceof Date || one instanceof RegExp) {
    return String(one) === String(other) && Object.is(+one, +(other as Date))
  }
  if (one instanceof Map) return areSame([...one].flat(), [...other as Map<unknown, unknown>].flat(), met)
  if (one instanceof Set) return areSame([...one], [...other as Set<unknown>], met)
  if (Array.isArray(one) && one.length !== (other as Array<unknown>).length) return false
  const names = Object.keys(one)
  return names.length === Object.keys(other).length && areSame(names, Object.keys(other), met) &&
    names.every((name) => isSame(one[name as never], other[name as never], met))
}

const areSame = (one: ReadonlyArray<unknown>, other: ReadonlyArray<unknown>, met: Map<object, object>): boolean =>
  one.length === other.length && one.every((value, i) => isSame(value, other[i], met))

const bytesOf = ({ buffer, byteLength, byteOffset }: ArrayBufferView): Buffer =>
  Buffer.from(buffer, byteOffset, byteLength)

/** Changes a value. Only its owner should see the changes. */
export const spoil = (value: unknown, met = new Set<unknown>()): void => {
  if (typeof value !== "object" || value === null || met.has(value)) return
  met.add(value)
  if (ArrayBuffer.isView(value)) return void bytesOf(value).fill(0xa5)
  if (value instanceof Map) {
    for (const part of value.values()) spoil(part, met)
    value.clear()
    return
  }
  for (const name of Object.keys(value)) {
    spoil(value[name as never], met)
    Reflect.defineProperty(value, name, { value: "spoiled" })
  }
}
