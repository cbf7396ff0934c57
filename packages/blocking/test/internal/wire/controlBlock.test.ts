import { assert, describe, it } from "@effect/vitest"
import * as controlBlock from "../../../src/internal/wire/controlBlock.ts"

describe("controlBlock", () => {
  it("C1: a task is claimed or revoked, never both", () => {
    const cells = controlBlock.make()
    controlBlock.offer(cells, 1, 0, [])
    assert.isTrue(controlBlock.claim(cells, 1))
    assert.isFalse(controlBlock.revoke(cells, 1))
    assert.isTrue(controlBlock.isClaimed(cells, 1))
    controlBlock.offer(cells, 2, 0, [])
    assert.isTrue(controlBlock.revoke(cells, 2))
    assert.isFalse(controlBlock.claim(cells, 2))
    assert.isFalse(controlBlock.isClaimed(cells, 2))
  })

  it("C1: a cell given to a later task refuses the claim of the earlier one", () => {
    const cells = controlBlock.make()
    const later = 1 + controlBlock.capacity
    controlBlock.offer(cells, 1, 0, [])
    assert.isTrue(controlBlock.revoke(cells, 1))
    controlBlock.offer(cells, later, 0, [])
    assert.isFalse(controlBlock.claim(cells, 1))
    assert.isTrue(controlBlock.claim(cells, later))
  })

  it("C3: a stop is for one run", () => {
    const cells = controlBlock.make()
    controlBlock.requestStop(cells, 7)
    assert.isTrue(controlBlock.isStopRequested(cells.int32, 7))
    assert.isFalse(controlBlock.isStopRequested(cells.int32, 8))
    assert.isFalse(controlBlock.isStopRequested(cells.int32, 0))
  })

  it("the start of a body is known only while it runs", () => {
    const cells = controlBlock.make()
    assert.isUndefined(controlBlock.startedAt(cells, 1))
    controlBlock.enter(cells, 1, 1234.5)
    assert.strictEqual(controlBlock.startedAt(cells, 1), 1234.5)
    assert.isUndefined(controlBlock.startedAt(cells, 2))
    controlBlock.end(cells, 1, 1234.5, 1235)
    assert.isUndefined(controlBlock.startedAt(cells, 1))
  })

  it("F1: a small result is read from the block, even after the end of the thread", () => {
    const cells = controlBlock.make()
    const values = [0.5, -0, Number.NaN, true, false, null, undefined]
    values.forEach((value, i) => {
      controlBlock.offer(cells, i + 1, 0, [])
      assert.isTrue(controlBlock.claim(cells, i + 1))
      assert.isFalse(controlBlock.hasEnded(cells, i + 1))
      assert.isTrue(controlBlock.keep(cells, i + 1, value))
      controlBlock.end(cells, i + 1, 1, 2)
    })
    values.forEach((value, i) => {
      assert.isTrue(controlBlock.hasEnded(cells, i + 1))
      assert.isFalse(controlBlock.isClaimed(cells, i + 1))
      assert.isTrue(Object.is(controlBlock.result(cells, i + 1), value))
    })
    assert.strictEqual(controlBlock.passed(cells), values.length)
    assert.isFalse(controlBlock.keep(cells, 8, "text"))
  })

  it("S3: small arguments come back as they were, their number too; others have to be posted", () => {
    const cells = controlBlock.make()
    const all = [[], [undefined], [0.5, -0, Number.NaN, 2 ** 53], [true, false, null, undefined], [1, 2]]
    all.forEach((args, i) => {
      assert.isTrue(controlBlock.offer(cells, i + 1, 100 + i, args))
      assert.isTrue(controlBlock.claim(cells, i + 1))
    })
    all.forEach((args, i) => {
      assert.strictEqual(controlBlock.taskOf(cells, i + 1), 100 + i)
      const received = controlBlock.argumentsOf(cells, i + 1)!
      assert.strictEqual(received.length, args.length)
      args.forEach((value, j) => assert.isTrue(Object.is(received[j], value), `argument ${j} of ${args}`))
    })
    for (const args of [["text"], [1, {}], [1n], [1, 2, 3, 4, 5]]) {
      // In the cell of arguments that fitted, of which nothing is left.
      const sequence = 1 + controlBlock.capacity
      assert.isFalse(controlBlock.offer(cells, sequence, 0, args))
      assert.isUndefined(controlBlock.argumentsOf(cells, sequence))
    }
  })

  const lastSequence = 0x0fffffff

  it("an order between sequence numbers survives their wrap", () => {
    assert.isTrue(controlBlock.isUpTo(5, 5))
    assert.isTrue(controlBlock.isUpTo(5, 60))
    assert.isFalse(controlBlock.isUpTo(60, 5))
    const after = controlBlock.plus(lastSequence, 3)
    assert.isTrue(controlBlock.isUpTo(lastSequence, after))
    assert.isFalse(controlBlock.isUpTo(after, lastSequence))
  })

  it("F5: sequence numbers that are out at once never share a cell, across the wrap, and none is 0", () => {
    const cells = controlBlock.make()
    for (let before = 0; before <= controlBlock.capacity; before++) {
      const first = lastSequence - before
      let sequence = first - 1
      for (let i = 0; i < controlBlock.capacity; i++) {
        sequence = controlBlock.nextSequence(sequence)
        assert.strictEqual(sequence, controlBlock.plus(first, i))
        assert.isAbove(sequence, 0)
        controlBlock.offer(cells, sequence, 0, [])
      }
      for (let i = 0; i < controlBlock.capacity; i++) {
        assert.isTrue(controlBlock.claim(cells, controlBlock.plus(first, i)), `task ${i} of a batch from ${first}`)
      }
    }
  })
})
