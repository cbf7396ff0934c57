import { random } from "./random.ts"

const atoms = [
  0,
  -0,
  NaN,
  Infinity,
  -1,
  0.1,
  2 ** 31 - 1,
  2 ** 31,
  -(2 ** 31),
  2 ** 53 + 2,
  Number.MIN_VALUE,
  true,
  false,
  null,
  undefined,
  0n,
  -12345678901234567890n,
  2n ** 4095n - 1n,
  "",
  "text",
  "größer",
  "\uD83D\uDE00",
  "\uD800",
  "a\uDC00b",
  "\0",
  "x".repeat(255),
  "y".repeat(256),
  "ÿ".repeat(300),
  "\u{1F600}".repeat(200)
]

const keys = [
  "a",
  "b",
  "__proto__",
  "constructor",
  "toString",
  "7",
  "0",
  "-1",
  "4294967295",
  "odd key",
  "",
  "ä",
  "\uD800",
  "then",
  "k".repeat(255),
  "k".repeat(256)
]

const bytes = (): ArrayBuffer => Uint8Array.from({ length: 16 }, (_, i) => i).buffer

const views: ReadonlyArray<() => ArrayBufferView> = [
  () => new Uint8Array(bytes()),
  () => new Int8Array(bytes(), 3, 5),
  () => new Uint8ClampedArray(0),
  () => new Uint16Array(bytes(), 2, 3),
  () => new Int16Array(bytes()),
  () => new Int32Array(bytes()),
  () => new Uint32Array(bytes(), 4),
  () => new Float32Array([1, NaN]),
  () => new Float64Array([-0, 1e300]),
  () => new BigInt64Array(bytes()),
  () => new BigUint64Array(bytes(), 8),
  () => new DataView(bytes(), 1, 4),
  () => Buffer.from(bytes(), 2, 7)
]

/** Plain values with details that are easily lost, and sometimes a part that no payload can represent. */
export const plainValue = (seed: number): unknown => {
  const next = random(seed)
  const made: Array<object> = []
  const add = <A extends object>(object: A): A => {
    made.push(object)
    return object
  }
  const atom = () => atoms[next(atoms.length)]
  const entries = (object: object, depth: number, count: number): void => {
    for (let i = next(count); i > 0; i--) {
      Object.defineProperty(object, keys[next(keys.length)]!, {
        value: value(depth + 1),
        configurable: true,
        enumerable: next(8) > 0,
        writable: true
      })
    }
  }
  const value = (depth: number): unknown => {
    switch (next(depth > 5 ? 3 : 14)) {
      case 0:
      case 1:
        return atom()
      case 2:
        return made.length === 0 || next(2) === 0 ? atom() : made[next(made.length)]
      case 3: {
        const list: Array<unknown> = add([])
        for (let i = next(5); i > 0; i--) list.push(value(depth + 1))
        return list
      }
      case 4: {
        const list: Array<unknown> = add(new Array(next(4)))
        for (let i = next(5); i > 0; i--) list[next(8)] = value(depth + 1)
        if (next(3) === 0) entries(list, depth, 3)
        return list
      }
      case 5: {
        const map = add(new Map())
        for (let i = next(4); i > 0; i--) map.set(value(depth + 1), value(depth + 1))
        return map
      }
      case 6: {
        const set = add(new Set())
        for (let i = next(4); i > 0; i--) set.add(value(depth + 1))
        return set
      }
      case 7:
        return add(new Date([0, -1, 8.64e15, NaN][next(4)]!))
      case 8:
        return add(views[next(views.length)]!())
      case 9:
        return add(next(4) === 0 ? bytes().slice(0, next(16)) : Object.create(null))
      case 10: {
        // More keys than a shape can have.
        const object: Record<string, unknown> = add({})
        if (next(8) === 0) { for (let i = 0; i < 300; i++) object[`k${i}`] = i }
        return object
      }
      default: {
        const object = add({})
        entries(object, depth, 6)
        return object
      }
    }
  }
  return value(0)
}
