import { assert, describe, it } from "@effect/vitest"
import { Callback, Task } from "effect-blocking"

class Missing extends Error {}

class Lookup extends Callback.Service<Lookup>()("test/Lookup", Callback.fn<[id: string], string>()) {}

const find = Task.make(import.meta.url, "find", () => 1, {
  errors: [Missing],
  callbacks: [Lookup],
  mandatory: true
})

describe("Task.with", () => {
  it("E1, H1: keeps the errors and callbacks of the definition, even if others are given", () => {
    for (const options of [{}, { errors: [], callbacks: [] }, { errors: undefined, callbacks: undefined }]) {
      assert.deepStrictEqual(Task.with(find, options as Task.DerivedOptions).options, {
        errors: [Missing],
        callbacks: [Lookup],
        mandatory: true
      })
    }
  })
})

describe("Task.move", () => {
  it("S3: returns the value itself in a body that is called in place, and a stand-in elsewhere", () => {
    const move = Task.make(import.meta.url, "move", (size: number) => Task.move(new ArrayBuffer(size)))
    assert.strictEqual(new Uint8Array(move.body(8) as ArrayBuffer).length, 8)
    assert.throws(() => structuredClone(Task.move(new ArrayBuffer(8))))
    const fail = Task.make(import.meta.url, "fail", (): ArrayBuffer => {
      throw new Error("in place")
    })
    assert.throws(() => fail.body(), "in place")
    assert.throws(() => structuredClone(Task.move(new ArrayBuffer(8))))
  })
})
