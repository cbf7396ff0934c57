import { assert, describe, it } from "@effect/vitest"
import { Slices } from "../../../src/internal/pool/slices.ts"

describe("slices of time", () => {
  it("R5: a slice is of eight items, and within 20 and 100 ms, so that other tasks get their turn", () => {
    const slices = new Slices({
      kind: "each",
      length: 1000,
      numbers: undefined,
      lanes: 1,
      chunkSize: undefined,
      timed: false,
      extra: []
    })
    const limitAfter = (millisPerItem: number): number => {
      slices.onDone(slices.take()!, [millisPerItem * 10, 10, [], []])
      const part = slices.take()!
      slices.putBack(part)
      return part.args[1].limitMillis
    }
    assert.deepStrictEqual([0.001, 1, 5, 10, 1000].map(limitAfter), [20, 20, 40, 80, 100])
  })
})
