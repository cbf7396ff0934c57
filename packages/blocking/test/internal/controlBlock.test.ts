import { assert, describe, it } from "@effect/vitest"
import * as controlBlock from "../../src/internal/controlBlock.ts"

const block = () => {
  const cells = controlBlock.make()
  return { cells, clock: new Float64Array(cells.buffer) }
}

describe("controlBlock", () => {
  it("C1: a task is claimed or revoked, never both", () => {
    const { cells } = block()
    controlBlock.offer(cells, 1)
    assert.isTrue(controlBlock.claim(cells, 1))
    assert.isFalse(controlBlock.revoke(cells, 1))
    assert.isTrue(controlBlock.isClaimed(cells, 1))
    controlBlock.offer(cells, 2)
    assert.isTrue(controlBlock.revoke(cells, 2))
    assert.isFalse(controlBlock.claim(cells, 2))
    assert.isFalse(controlBlock.isClaimed(cells, 2))
  })

  it("C1: a cell given to a later task refuses the claim of the earlier one", () => {
    const { cells } = block()
    const later = 1 + controlBlock.capacity
    controlBlock.offer(cells, 1)
    assert.isTrue(controlBlock.revoke(cells, 1))
    controlBlock.offer(cells, later)
    assert.isFalse(controlBlock.claim(cells, 1))
    assert.isTrue(controlBlock.claim(cells, later))
  })

  it("C3: a stop is for one run", () => {
    const { cells } = block()
    controlBlock.requestStop(cells, 7)
    assert.isTrue(controlBlock.isStopRequested(cells, 7))
    assert.isFalse(controlBlock.isStopRequested(cells, 8))
    assert.isFalse(controlBlock.isStopRequested(cells, 0))
  })

  it("the start of a body is known only while it runs", () => {
    const { cells, clock } = block()
    assert.isUndefined(controlBlock.startedAt(cells, 1))
    controlBlock.enter(cells, clock, 1, 1234.5)
    assert.strictEqual(controlBlock.startedAt(cells, 1), 1234.5)
    assert.isUndefined(controlBlock.startedAt(cells, 2))
    controlBlock.leave(cells)
    assert.isUndefined(controlBlock.startedAt(cells, 1))
  })

  it("sequence numbers start again before they leave 28 bits, and never are 0", () => {
    let sequence = 0x0fffffff - 1
    const { cells } = block()
    for (const expected of [0x0fffffff, 1, 2]) {
      sequence = controlBlock.nextSequence(sequence)
      assert.strictEqual(sequence, expected)
      controlBlock.offer(cells, sequence)
      assert.isTrue(controlBlock.claim(cells, sequence))
    }
  })
})
