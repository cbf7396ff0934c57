import { assert, describe, it } from "@effect/vitest"
import { decode } from "../../../src/internal/wire/restored.ts"
import { encodeFailure, encodeThrown } from "../../../src/internal/wire/thrown.ts"

const cross = (value: unknown): unknown => decode(structuredClone(encodeThrown(value)), [])

describe("the budget of a panic", () => {
  it("E2: a small panic stays as it is, cycles included", () => {
    const value: Record<string, unknown> = { text: "a", list: [1, { deep: new Uint8Array(8) }], map: new Map([[1, 2]]) }
    value["self"] = value
    assert.deepStrictEqual(cross(value), value)
  })

  it("E2: long texts are shortened, large data is left out, each by its size", () => {
    const error = Object.assign(new Error("y".repeat(100_000)), {
      bytes: new Uint8Array(40_000_000),
      buffer: new ArrayBuffer(50_000_000),
      small: [1]
    })
    const arrived = cross(error) as typeof error
    assert.strictEqual(arrived.message, `${"y".repeat(65_536)} [34464 more characters left out]`)
    assert.deepInclude(arrived, {
      bytes: "[40000000 bytes left out]",
      buffer: "[50000000 bytes left out]",
      small: [1]
    } as object)
  })

  it("E2: many small values exceed the budget as well, in any container", () => {
    const many = Array.from({ length: 600 }, (_, i) => `${i}`.padEnd(64_000, "x"))
    for (const value of [many, new Set(many), new Map(many.map((n, i) => [i, n])), { ...many }]) {
      const arrived = cross(Object.assign(new Error("x"), { value, more: "more" })) as { value: object; more: string }
      assert.strictEqual(arrived.more, "more")
      const { length } = Object.values(
        arrived.value instanceof Map || arrived.value instanceof Set ? [...arrived.value] : arrived.value
      )
      assert.isBelow(length, 600)
    }
  })

  it("E1: a domain error is never shortened", () => {
    const text = "x".repeat(100_000)
    const encoded = encodeFailure({ text })
    assert.deepStrictEqual("value" in encoded && decode(encoded.value, []), { text })
  })
})
