import { assert, describe, it } from "@effect/vitest"
import { PayloadReader } from "../../../src/internal/wire/payloadReader.ts"
import { ResultReader, ResultWriter, ringLength } from "../../../src/internal/wire/resultRing.ts"
import { payloadPlatform } from "../../utils/payloadPlatform.ts"
import { random } from "../../utils/random.ts"

const makeRing = () => {
  const memory = new SharedArrayBuffer(ringLength)
  const read = new Int32Array(new SharedArrayBuffer(4))
  const reader = new PayloadReader()
  const results = new ResultReader(memory, read, payloadPlatform)
  return {
    writer: new ResultWriter(memory, read, payloadPlatform),
    take: (start: number, parts?: ReadonlyArray<ArrayBuffer>): unknown => {
      const value = results.value(reader, start, parts)
      results.free(start)
      return value
    }
  }
}

describe("the ring of results", () => {
  it("S4: a result stays intact until it is read, however far behind the reader is", () => {
    const next = random(1)
    const { take, writer } = makeRing()
    const waiting: Array<{ readonly start: number; readonly value: unknown }> = []
    let refused = 0
    let written = 0
    for (let i = 0; i < 20_000; i++) {
      const value = [i, "x".repeat(next(10) === 0 ? next(20_000) : next(100))]
      const start = writer.write(value)
      if (start >= 0) {
        waiting.push({ start, value })
        written++
      } else {
        // There is room for a result whenever few are waiting.
        assert.isAbove(waiting.length, 1)
        refused++
      }
      // The reader comes in bursts, and now and then very late.
      if (next(start < 0 ? 2 : 200) === 0) {
        for (let n = next(waiting.length + 1); n > 0; n--) {
          const first = waiting.shift()!
          assert.deepStrictEqual(take(first.start), first.value)
        }
      }
    }
    for (const { start, value } of waiting) assert.deepStrictEqual(take(start), value)
    assert.isAbove(written, 10_000)
    assert.isAbove(refused, 0)
  })

  it("S4: a result that is too long does not fit, and the next one does", () => {
    const { take, writer } = makeRing()
    assert.strictEqual(writer.write("x".repeat(2 ** 15)), -1)
    assert.deepStrictEqual(take(writer.write(["next"])), ["next"])
  })

  it("S4: long buffers are copied once, beside the ring, and the body's own stay intact", () => {
    const { take, writer } = makeRing()
    const kept = new Uint8Array(2 ** 16).fill(7)
    const start = writer.write({ few: Uint8Array.of(1, 2), many: kept })
    const { parts } = writer
    assert.strictEqual(parts.length, 1)
    const arrived = take(start, structuredClone(parts, { transfer: parts })) as { readonly many: Uint8Array }
    assert.deepStrictEqual(arrived, { few: Uint8Array.of(1, 2), many: kept } as never)
    assert.strictEqual(kept.byteLength, 2 ** 16)
    arrived.many.fill(0)
    assert.isTrue(kept.every((byte) => byte === 7))
  })
})
