/** Messages between two halves that share no memory. */
import { assert, describe, it } from "@effect/vitest"
import { deserialize, serialize } from "node:v8"
import { PayloadMemory } from "../../../src/internal/wire/payload.ts"
import { PayloadWriter } from "../../../src/internal/wire/payloadWriter.ts"
import { Batch, Ended, MessageReader, MessageWriter } from "../../../src/internal/wire/remote.ts"
import { payloadPlatform } from "../../utils/payloadPlatform.ts"

const make = () => ({
  writer: new MessageWriter(payloadPlatform, serialize),
  reader: new MessageReader(payloadPlatform, deserialize)
})

const values: ReadonlyArray<unknown> = [
  -0,
  "\ud800",
  Object.assign([1], { 2: undefined }),
  { "": null, b: 2n ** 70n, a: NaN },
  // Values that a payload cannot represent.
  [/x/g, new Error("y")],
  new Map([[{}, new Set([1])]]),
  new Uint8Array([1, 2, 3])
]

describe("messages", () => {
  it("values are read as they were written, at any position in memory, and after any other message", () => {
    const { reader, writer } = make()
    // Messages with other ends, some of which need more memory than the last.
    for (const length of [0, 1, 100, 2 ** 16, 10, 2 ** 18, 2 ** 23, 3]) {
      const all = [...values, { bytes: new Uint8Array(length).fill(7) }, ...values]
      writer.begin(Batch)
      writer.int32(-2)
      for (const value of all) {
        writer.int32(length)
        writer.value(value)
      }
      writer.float64(Math.PI)
      writer.byte(0xff)
      const bytes = Buffer.concat([Buffer.alloc(length % 7, 0xee), ...writer.end(), Buffer.alloc(5, 0xee)])
      assert.strictEqual(reader.begin(bytes.subarray(length % 7, bytes.length - 5)), Batch)
      assert.strictEqual(reader.int32(), -2)
      const places = all.map(() => {
        assert.strictEqual(reader.int32(), length)
        const { at } = reader
        reader.skipValue()
        return at
      })
      assert.strictEqual(reader.float64(), Math.PI)
      assert.strictEqual(reader.byte(), 0xff)
      assert.strictEqual(reader.rest().length, 0)
      const { memory } = reader
      reader.forget()
      // In any order, although another message has begun.
      reader.begin(Uint8Array.of(Ended))
      for (const i of Array.from(places.keys()).reverse()) {
        assert.deepStrictEqual(reader.value(memory, places[i]), all[i])
      }
    }
  })

  it("a payload is sent from its own memory, short or long, between other values", () => {
    const { reader, writer } = make()
    const memory = new PayloadMemory(new SharedArrayBuffer(2 ** 18), payloadPlatform)
    const payloads = new PayloadWriter({ grow: () => false, partLength: Infinity }, payloadPlatform)
    writer.begin(Batch)
    let start = 0
    const all = ["short", "x".repeat(2 ** 15), "y", "z".repeat(2 ** 15)]
    for (const value of all) {
      assert.isTrue(payloads.write(value, memory, start, 2 ** 18))
      writer.byte(value.length & 0xff)
      writer.payload(memory, start)
      start = payloads.at
    }
    const parts = writer.end()
    assert.isTrue(parts.some(({ buffer }) => buffer === memory.memory))
    reader.begin(Buffer.concat(parts))
    for (const value of all) {
      assert.strictEqual(reader.byte(), value.length & 0xff)
      assert.strictEqual(reader.value(), value)
      reader.skipValue()
    }
    assert.strictEqual(reader.rest().length, 0)
  })

  it("a value that cannot cross leaves the message unchanged", () => {
    const { reader, writer } = make()
    writer.begin(Ended)
    writer.int32(7)
    assert.throws(() => writer.value(() => 0))
    writer.value("instead")
    reader.begin(Buffer.concat(writer.end()))
    assert.strictEqual(reader.int32(), 7)
    assert.strictEqual(reader.value(), "instead")
  })
})
