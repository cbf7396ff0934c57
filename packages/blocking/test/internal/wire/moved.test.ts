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

// Its types are those of a browser.
declare const WebAssembly: { readonly Memory: new(size: { initial: number }) => { readonly buffer: ArrayBuffer } }

const wasmMemory = (): ArrayBuffer => new WebAssembly.Memory({ initial: 1 }).buffer

describe("moved", () => {
  it("S3: a stand-in is known by itself, and its value is not", () => {
    const bytes = Uint8Array.of(1, 2)
    const moved = standIn(bytes)
    assert.strictEqual(movedValue(moved), bytes)
    assert.isUndefined(movedValue(bytes))
    assert.strictEqual(standIn(moved), moved)
  })

  it("S3: a stand-in can be read and changed like its value", () => {
    const moved = standIn(Uint8Array.of(1, 2))
    moved[1] = 3
    assert.deepStrictEqual([moved.length, moved[1], moved.reduce((a, b) => a + b), moved instanceof Uint8Array], [
      2,
      3,
      4,
      true
    ])
    assert.strictEqual(standIn(new ArrayBuffer(4)).byteLength, 4)
  })

  it("S3: nothing clones a stand-in, at any depth: so it is never copied unseen", () => {
    for (const value of [Uint8Array.of(1), new ArrayBuffer(1)]) {
      assert.throws(() => structuredClone({ deep: [standIn(value)] }), /could not be cloned/)
    }
  })

  it("S3: stand-ins are found at any depth, on cycles too, and replaced in a copy", () => {
    const bytes = Uint8Array.of(1)
    const value = { list: [new Map([["k", standIn(bytes)]]), new Set([standIn(bytes)])], self: {} }
    value.self = value
    assert.deepStrictEqual(Array.from(findStandIns(value)), [bytes])
    const copy = substitute(value, movedValue) as { list: [Map<string, unknown>, Set<unknown>]; self: unknown }
    assert.strictEqual(copy.list[0].get("k"), bytes)
    assert.isTrue(copy.list[1].has(bytes))
    assert.strictEqual(copy.self, copy)
    assert.isDefined(movedValue(value.list[0]!.values().next().value), "the value itself is as it was")
  })

  it("S3: in an instance of a class, too; other objects stay what they are", () => {
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

  it("S3: of what a body has marked, what it returns is transferred and nothing else", () => {
    const [returned, kept] = [new Uint8Array(8), new ArrayBuffer(8)]
    assert.deepStrictEqual(Array.from(findMoved({ deep: [returned] }, new Set([returned, kept]))), [returned])
    assert.deepStrictEqual(transferables([returned, returned.buffer, kept]), [returned.buffer, kept])
  })

  it("S3: memory of WebAssembly, and what is marked as untransferable, is not transferred, and stays whole", () => {
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
