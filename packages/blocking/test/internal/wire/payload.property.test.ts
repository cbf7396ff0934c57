import { assert, describe, it } from "@effect/vitest"
import { PayloadMemory } from "../../../src/internal/wire/payload.ts"
import { BrokenPayload, PayloadReader } from "../../../src/internal/wire/payloadReader.ts"
import { PayloadWriter } from "../../../src/internal/wire/payloadWriter.ts"
import { payloadPlatform } from "../../utils/payloadPlatform.ts"
import { plainValue } from "../../utils/plainValue.ts"
import { shape } from "../../utils/shape.ts"

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
      const value = plainValue(seed)
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
