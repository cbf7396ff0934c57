import { assert, describe, it } from "@effect/vitest"
import { bounded } from "../../../src/internal/wire/bounded.ts"

describe("bounded", () => {
  it("E2: what is small stays as it is, cycles included", () => {
    const value: Record<string, unknown> = { text: "a", list: [1, { deep: new Uint8Array(8) }], map: new Map([[1, 2]]) }
    value["self"] = value
    assert.strictEqual(bounded(value), value)
    assert.deepStrictEqual(value["list"], [1, { deep: new Uint8Array(8) }])
  })

  it("E2: long texts are shortened, large data is left out, each by its size", () => {
    const value = {
      text: "x".repeat(100_000),
      bytes: new Uint8Array(2_000_000),
      buffer: new ArrayBuffer(3_000_000),
      map: new Map(Array.from({ length: 1_100_000 }, (_, i) => [i, i] as const))
    }
    assert.deepStrictEqual<unknown>(bounded(value), {
      text: `${"x".repeat(65_536)} [34464 more characters left out]`,
      bytes: "[2000000 bytes left out]",
      buffer: "[3000000 bytes left out]",
      map: "[1100000 entries left out]"
    })
  })

  it("E2: many small things are too much as well", () => {
    const texts = bounded(Array.from({ length: 100 }, () => "x".repeat(60_000))) as Array<string>
    assert.isBelow(texts.join("").length, 1_100_000)
    assert.strictEqual(texts.at(-1), "[left out: too much]")
  })
})
