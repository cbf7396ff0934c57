import { assert, describe, it } from "@effect/vitest"
import { chunkIndex, Payloads, placeOf } from "../../../src/internal/scheduler/payloads.ts"
import { PayloadMemory } from "../../../src/internal/wire/payload.ts"
import { PayloadReader } from "../../../src/internal/wire/payloadReader.ts"
import { payloadPlatform } from "../../utils/payloadPlatform.ts"
import { random } from "../../utils/random.ts"

const make = () => {
  const givenUp: Array<number> = []
  const payloads = new Payloads(payloadPlatform, (index) => void givenUp.push(index))
  const reader = new PayloadReader()
  return {
    payloads,
    givenUp,
    read: (address: number): unknown =>
      reader.read(new PayloadMemory(payloads.memoryOf(chunkIndex(address)), payloadPlatform), placeOf(address))
  }
}

describe("payloads", () => {
  it("S4: arguments lie whole in their chunk until they are released, in any order", () => {
    const next = random(2)
    const { payloads, read } = make()
    const live: Array<{ readonly address: number; readonly value: unknown }> = []
    const end = (): void => {
      const [one] = live.splice(next(live.length), 1)
      assert.deepStrictEqual(read(one!.address), one!.value)
      payloads.release(one!.address)
    }
    for (let i = 0; i < 5000; i++) {
      const value = next(50) === 0 ? [i, new Uint8Array(next(400_000)).fill(i)] : [i, "x".repeat(next(200))]
      const address = payloads.write(value)
      assert.isDefined(address)
      live.push({ address: address!, value })
      assert.strictEqual(payloads.live, live.length)
      while (live.length > 100) end()
    }
    while (live.length > 0) end()
    assert.strictEqual(payloads.live, 0)
  })

  it("S4: a value that is no payload leaves nothing behind", () => {
    const { payloads, read } = make()
    const before = payloads.write("before")!
    assert.isUndefined(payloads.write([new Uint8Array(2 ** 19), () => 1]))
    assert.isUndefined(payloads.write(() => 1))
    const after = payloads.write("after")!
    assert.strictEqual(payloads.live, 2)
    assert.strictEqual(read(before), "before")
    assert.strictEqual(read(after), "after")
  })

  it("S4: a getter that runs a task while its arguments are written disturbs nothing", () => {
    const { payloads, read } = make()
    let inner: number | undefined = 0
    const address = payloads.write({
      get a() {
        inner = payloads.write("inner")
        return 1
      }
    })
    assert.isUndefined(inner)
    assert.deepStrictEqual(read(address!), { a: 1 })
  })

  it("S4: memory without use is kept up to a limit, and given up by trim", () => {
    const { givenUp, payloads } = make()
    const long = new Uint8Array(2 ** 20)
    for (let i = 0; i < 50; i++) payloads.release(payloads.write(long)!)
    assert.deepStrictEqual(givenUp, [])
    const many = Array.from({ length: 50 }, () => payloads.write(long)!)
    for (const address of many) payloads.release(address)
    // 16 MB of some 100 are kept.
    const early = givenUp.length
    assert.isAbove(early, 30)
    payloads.trim()
    assert.isAbove(givenUp.length, early)
    assert.strictEqual(new Set(givenUp).size, givenUp.length)
  })
})
