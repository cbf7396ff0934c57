import { assert, describe, it } from "@effect/vitest"
import { isDeepStrictEqual } from "node:util"
import { PayloadMemory } from "../../../src/internal/wire/payload.ts"
import { BrokenPayload, PayloadReader } from "../../../src/internal/wire/payloadReader.ts"
import { PayloadWriter } from "../../../src/internal/wire/payloadWriter.ts"
import { assertLikeClones } from "../../utils/likeClones.ts"
import { payloadPlatform } from "../../utils/payloadPlatform.ts"
import * as module from "../../utils/random.ts"
import { shape } from "../../utils/shape.ts"

const memoryOf = (length: number) => new PayloadMemory(new SharedArrayBuffer(length), payloadPlatform)

const refuse = { grow: () => false, partLength: Infinity }

const argumentsOf: (...args: ReadonlyArray<number>) => unknown = function() {
  return arguments
}

describe("a payload", () => {
  it("S4: values arrive as structured clone gives them", () => {
    assertLikeClones(payloadPlatform, 20_000)
  })

  it("S4: a change of any bit is detected, or changes the value", () => {
    const cyclic: Record<string, unknown> = { list: [1, -0, 2 ** 40, 0.1, null, undefined, true, false] }
    cyclic["self"] = [cyclic]
    const values: ReadonlyArray<unknown> = [
      cyclic,
      { a: { b: 1, cc: 2 }, b: { b: 1, cc: 2 }, "": "" },
      ["größer", "wider than a byte: \u{1F600}", "x".repeat(300), "short", 2n ** 70n, -5n],
      Object.assign(new Array(6), { 1: 1, 3: 2, named: 1 }),
      { ["k".repeat(256)]: 1, __proto__: null },
      JSON.parse(`{"__proto__": {"a": 1}, "b": 2}`),
      [new Map<unknown, unknown>([[1, "one"], ["2", { n: 2 }]]), new Set([1, "1", [1]])],
      [
        new Date(8.64e15),
        Uint8Array.of(1, 2),
        new Float64Array([1]),
        new DataView(new ArrayBuffer(2)),
        new ArrayBuffer(1)
      ]
    ]
    const reader = new PayloadReader()
    const writer = new PayloadWriter(refuse, payloadPlatform)
    const memory = memoryOf(2 ** 12)
    const expect = (value: unknown) => shape(structuredClone(value))
    for (const value of values) {
      assert.isTrue(writer.write(value, memory, 0, 2 ** 12))
      const expected = expect(value)
      const end = writer.at
      for (let bit = 0; bit < end * 8; bit++) {
        memory.bytes[bit >> 3]! ^= 1 << (bit & 7)
        let arrived: unknown
        try {
          arrived = shape(reader.read(memory, 0))
        } catch {
          // It is detected.
        }
        assert.isFalse(isDeepStrictEqual(arrived, expected), `bit ${bit & 7} of byte ${bit >> 3} of ${end}`)
        memory.bytes[bit >> 3]! ^= 1 << (bit & 7)
      }
      assert.deepStrictEqual(shape(reader.read(memory, 0)), expected)
    }
  })

  it("S4: objects whose keys have the same hash keep their own", () => {
    const reader = new PayloadReader()
    const writer = new PayloadWriter(refuse, payloadPlatform)
    const memory = memoryOf(2 ** 12)
    for (let i = 0; i < 10; i++) {
      // The hash of both is -1906014489; it is remembered from the second time on.
      const value = i % 5 < 3 ? { k13zx: i } : { kgpad: i }
      assert.isTrue(writer.write(value, memory, 0, 2 ** 12))
      assert.deepStrictEqual(reader.read(memory, 0), value)
    }
  })

  it("S4: the class of a view, and its own fields, change nothing", () => {
    class Odd extends Uint8Array {
      override get byteLength(): number {
        return 2
      }
      override get buffer(): ArrayBuffer {
        return new ArrayBuffer(9)
      }
    }
    const views = [
      new Odd([1, 2, 3]),
      Object.defineProperty(Uint8Array.of(1, 2, 3), "byteLength", { value: 1 }),
      Object.defineProperty(Uint8Array.of(1, 2, 3), "byteOffset", { value: 1 })
    ]
    for (const view of views) {
      const writer = new PayloadWriter(refuse, payloadPlatform)
      const memory = memoryOf(2 ** 12)
      assert.isTrue(writer.write(view, memory, 0, 2 ** 12))
      assert.deepStrictEqual(new PayloadReader().read(memory, 0), Uint8Array.of(1, 2, 3))
    }
  })

  it("S4: memory without a payload is reported, and gives no value", () => {
    const reader = new PayloadReader()
    const writer = new PayloadWriter(refuse, payloadPlatform)
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

  it("S4: a value that structured clone changes or refuses is no payload", () => {
    const writer = new PayloadWriter(refuse, payloadPlatform)
    const memory = memoryOf(2 ** 12)
    const buffer = new ArrayBuffer(8)
    const detached = new ArrayBuffer(8)
    structuredClone(detached, { transfer: [detached] })
    const throws = {
      get value() {
        throw new Error("not to be read")
      }
    }
    const withSpecies = Object.assign(new ArrayBuffer(8), { constructor: Map })
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
      arguments: argumentsOf(1, 2),
      "no arguments": argumentsOf(),
      "a date that looks plain": Object.setPrototypeOf(new Date(0), Object.prototype),
      "an error that looks plain": Object.setPrototypeOf(new Error("a"), null),
      "a pattern that looks plain": Object.setPrototypeOf(/a/, Object.prototype),
      "bytes that look plain": Object.setPrototypeOf(Uint8Array.of(1, 2), null),
      "no bytes that look plain": Object.setPrototypeOf(new DataView(new ArrayBuffer(1)), null),
      "a string that looks plain": Object.setPrototypeOf(Object("a"), Object.prototype),
      "a buffer of some class": withSpecies,
      "a map that looks like a set": Object.setPrototypeOf(new Map(), Set.prototype),
      "an object that looks like a map": Object.create(Map.prototype),
      module,
      "too long": "x".repeat(5000),
      "a number of many digits": 2n ** 5000n
    }
    for (const [name, value] of Object.entries(cases)) {
      assert.isFalse(writer.write(value, memory, 0, 2 ** 12), name)
      assert.isFalse(writer.write({ deep: [value] }, memory, 0, 2 ** 12), `${name}, deep`)
    }
    assert.isTrue(writer.write("it can write again", memory, 0, 2 ** 12))
  })

  it("S4: a value that a getter changes while it is written is no payload, or arrives as its clone", () => {
    const changing = (change: (object: Record<string, unknown>, list: Array<unknown>) => void) => () => {
      const list: Array<unknown> = [0, 1, 2, 3]
      const object: Record<string, unknown> = {
        first: 1,
        get second() {
          change(object, list)
          return "read"
        },
        third: undefined,
        list,
        fourth: 4
      }
      list[0] = object
      return object
    }
    const cases: Record<string, () => unknown> = {
      "deletes a field": changing((object) => delete object["fourth"]),
      "deletes an empty field": changing((object) => delete object["third"]),
      "adds a field": changing((object) => object["fifth"] = 5),
      "changes a field": changing((object) => object["fourth"] = [object]),
      "hides a field": changing((object) => Object.defineProperty(object, "fourth", { enumerable: false })),
      "deletes an element": changing((_, list) => delete list[3]),
      "shortens a list": changing((_, list) => list.length = 1),
      "lengthens a list": changing((_, list) => list.push(5)),
      "changes bytes": changing((object) => object["third"] = Uint8Array.of(1))
    }
    const writer = new PayloadWriter(refuse, payloadPlatform)
    const reader = new PayloadReader()
    const memory = memoryOf(2 ** 12)
    for (const [name, make] of Object.entries(cases)) {
      for (const inside of [(value: unknown) => value, (value: unknown) => [1, value, 2]]) {
        if (!writer.write(inside(make()), memory, 0, 2 ** 12)) continue
        assert.deepStrictEqual(shape(reader.read(memory, 0)), shape(structuredClone(inside(make()))), name)
      }
    }
  })

  it("S4: a modified Object.prototype changes nothing", () => {
    const value = { polluted: 1, ["k".repeat(256)]: 2, list: Object.assign(new Array(3), { 1: { polluted: 3 } }) }
    const writer = new PayloadWriter(refuse, payloadPlatform)
    const reader = new PayloadReader()
    const memory = memoryOf(2 ** 12)
    const expected = shape(structuredClone(value))
    const arrived: Array<unknown> = []
    const prototype = Object.prototype as Record<string, unknown>
    try {
      Object.defineProperty(prototype, "polluted", {
        get: () => "inherited",
        set: () => {
          throw new Error("it was set")
        },
        enumerable: true,
        configurable: true
      })
      for (const name of ["get", "set"]) prototype[name] = () => "inherited"
      // At the third time its shapes are known.
      for (let i = 0; i < 3; i++) {
        if (writer.write(value, memory, 0, 2 ** 12)) arrived.push(reader.read(memory, 0))
      }
    } finally {
      for (const name of ["polluted", "get", "set"]) delete prototype[name]
    }
    assert.deepStrictEqual(arrived.map(shape), [expected, expected, expected])
  })
})
