import { assert, describe, it } from "@effect/vitest"
import { markAsUntransferable } from "node:worker_threads"
import {
  findMoved,
  findStandIns,
  isDetached,
  movedValue,
  standIn,
  substitute,
  transferables,
  transferring
} from "../../../src/internal/wire/moved.ts"

// Only the types of a browser declare it.
declare const WebAssembly: { readonly Memory: new(size: { initial: number }) => { readonly buffer: ArrayBuffer } }

const wasmMemory = (): ArrayBuffer => new WebAssembly.Memory({ initial: 1 }).buffer

describe("moved", () => {
  it("S3: a stand-in is recognized, and its value is not", () => {
    for (
      const value of [Uint8Array.of(1, 2), Buffer.from("ab"), new DataView(new ArrayBuffer(2)), new ArrayBuffer(2)]
    ) {
      const moved = standIn(value)
      assert.isDefined(movedValue(moved))
      assert.isUndefined(movedValue(value))
      assert.strictEqual(standIn(moved), moved)
      assert.strictEqual(moved.byteLength, 2)
      assert.strictEqual(Object.getPrototypeOf(moved), Object.getPrototypeOf(value))
      if (ArrayBuffer.isView(value)) assert.strictEqual((moved as DataView).buffer, value.buffer)
      else assert.strictEqual(movedValue(moved), value)
    }
  })

  it("S3: no clone accepts the stand-in of a value other than a view, at any depth: so it is never copied by mistake", () => {
    assert.throws(() => structuredClone({ deep: [standIn(new ArrayBuffer(1))] }), /could not be cloned/)
  })

  it("S3: stand-ins are found at any depth, on cycles too, and replaced in a copy", () => {
    const bytes = Uint8Array.of(1)
    const value = { list: [new Map([["k", standIn(bytes)]]), new Set([standIn(bytes)])], self: {} }
    value.self = value
    assert.strictEqual(findStandIns(value).size, 2)
    const copy = substitute(value, movedValue) as { list: [Map<string, unknown>, Set<unknown>]; self: unknown }
    assert.deepStrictEqual([copy.list[0].get("k"), ...copy.list[1]], [bytes, bytes])
    assert.strictEqual(copy.self, copy)
  })

  it("S3: in an instance of a class, too; other objects are unchanged", () => {
    const bytes = Uint8Array.of(1)
    class Frame {
      readonly bytes = standIn(bytes)
      readonly at = new Date(0)
      readonly key = /x/
    }
    const frame = new Frame()
    const copy = substitute([frame], movedValue) as [{ bytes: unknown; at: unknown; key: unknown }]
    assert.deepStrictEqual(copy, [{ bytes, at: frame.at, key: frame.key }])
    assert.strictEqual(copy[0].at, frame.at)
  })

  it("S3: a copy keeps holes, extra keys of objects and keys that only look special", () => {
    // oxlint-disable-next-line no-sparse-arrays
    const value = { sparse: [1, , 3], ["__proto__"]: 1 }
    const copy = substitute(value, () => undefined) as typeof value
    assert.deepStrictEqual(copy, value)
    assert.isFalse(1 in copy.sparse)
    assert.strictEqual(Object.getPrototypeOf(copy), Object.prototype)
  })

  it("S3: of the values that a body has marked, only those that it returns are transferred", () => {
    const [returned, kept] = [new Uint8Array(8), new ArrayBuffer(8)]
    assert.deepStrictEqual(Array.from(findMoved({ deep: [returned] }, new Set([returned, kept]))), [returned])
    assert.deepStrictEqual(transferables([returned, returned.buffer, kept]), [returned.buffer, kept])
  })

  it("S3: memory of WebAssembly, and untransferable objects, are not transferred, and stay intact", () => {
    const wasm = wasmMemory()
    const marked = new ArrayBuffer(8)
    markAsUntransferable(marked)
    const plain = new ArrayBuffer(8)
    const { port1, port2 } = new MessageChannel()
    assert.deepStrictEqual(transferring([wasm, marked, plain, port1]), [plain, port1])
    assert.deepStrictEqual([wasm.byteLength, marked.byteLength, plain.byteLength], [65_536, 8, 8])
    port2.close()
    const view = new Uint8Array(plain)
    assert.isFalse(isDetached(view))
    structuredClone(plain, { transfer: [plain] })
    assert.isTrue(isDetached(view))
  })
})
