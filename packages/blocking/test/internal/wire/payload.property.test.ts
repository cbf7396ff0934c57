import { assert, describe, it } from "@effect/vitest"
import { PayloadMemory } from "../../../src/internal/wire/payload.ts"
import { BrokenPayload, PayloadReader } from "../../../src/internal/wire/payloadReader.ts"
import { PayloadWriter } from "../../../src/internal/wire/payloadWriter.ts"
import { payloadPlatform } from "../../utils/payloadPlatform.ts"
import { random } from "../../utils/random.ts"
import { shape } from "../../utils/shape.ts"

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

/** Plain values with everything that is easily lost, and now and then something that is no payload. */
const generate = (seed: number): unknown => {
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
        // More keys than a shape has.
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

const memoryOf = (length: number) => new PayloadMemory(new SharedArrayBuffer(length), payloadPlatform)

const refuse = { grow: () => false, partLength: Infinity }

/** What a view brings with it is its own part of the buffer, as an argument that has been made compact. */
const isCompact = (value: unknown): boolean => {
  const met = new Set<unknown>()
  const look = (part: unknown): boolean => {
    if (typeof part !== "object" || part === null || met.has(part)) return true
    met.add(part)
    if (ArrayBuffer.isView(part)) return part.byteLength === part.buffer.byteLength
    if (part instanceof Map) return Array.from(part).every((entry) => entry.every(look))
    if (part instanceof Set) return Array.from(part).every(look)
    return Object.values(part).every(look)
  }
  return look(value)
}

describe("a payload", () => {
  it("S4: what arrives is what structured clone gives", () => {
    const reader = new PayloadReader()
    const writer = new PayloadWriter(refuse, payloadPlatform.isProxy)
    const memory = memoryOf(2 ** 20)
    let written = 0
    for (let seed = 0; seed < 20_000; seed++) {
      const value = generate(seed)
      const start = (seed * 7) % 64
      if (!writer.write(value, memory, start, 2 ** 20)) continue
      const arrived = reader.read(memory, start)
      if (!isCompact(value)) continue
      written++
      assert.deepStrictEqual(shape(arrived), shape(structuredClone(value)), `seed ${seed}`)
    }
    assert.isAbove(written, 15_000)
  })

  it("S4: memory in which no payload lies is told, and not made up", () => {
    const reader = new PayloadReader()
    const writer = new PayloadWriter(refuse, payloadPlatform.isProxy)
    const memory = memoryOf(2 ** 12)
    assert.isTrue(writer.write([1, { a: "text" }], memory, 0, 2 ** 12))
    const length = memory.lengthOf(0)
    for (const wrong of [length - 1, length + 1, 0]) {
      memory.view.setUint32(0, wrong, true)
      assert.throws(() => reader.read(memory, 0), BrokenPayload)
    }
    memory.view.setUint32(0, length, true)
    memory.bytes[4] = 0xee
    assert.throws(() => reader.read(memory, 0), BrokenPayload)
  })

  it("S4: what structured clone would give otherwise, or refuses, is no payload", () => {
    const writer = new PayloadWriter(refuse, payloadPlatform.isProxy)
    const memory = memoryOf(2 ** 12)
    const buffer = new ArrayBuffer(8)
    const detached = new ArrayBuffer(8)
    structuredClone(detached, { transfer: [detached] })
    const throws = {
      get value() {
        throw new Error("not to be read")
      }
    }
    const cases: Record<string, unknown> = {
      function: () => 1,
      symbol: Symbol("a"),
      "an instance of a class": new (class A {
        readonly a = 1
      })(),
      error: new Error("a"),
      "regular expression": /a/,
      "boxed number": Object(1),
      proxy: new Proxy({}, {}),
      "shared memory": new SharedArrayBuffer(8),
      "shared view": new Uint8Array(new SharedArrayBuffer(8)),
      "two views of one buffer": [new Uint8Array(buffer), new Uint8Array(buffer)],
      "a view and its buffer": [new Uint8Array(buffer, 4), buffer],
      detached,
      resizable: new ArrayBuffer(8, { maxByteLength: 16 }),
      "a getter that throws": throws,
      "too long": "x".repeat(5000)
    }
    for (const [name, value] of Object.entries(cases)) {
      assert.isFalse(writer.write(value, memory, 0, 2 ** 12), name)
      assert.isFalse(writer.write({ deep: [value] }, memory, 0, 2 ** 12), `${name}, deep`)
    }
    assert.isTrue(writer.write("it can write again", memory, 0, 2 ** 12))
  })
})
