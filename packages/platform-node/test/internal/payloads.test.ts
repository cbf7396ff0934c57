import { assert, describe, it } from "@effect/vitest"
import { createServer } from "node:net"
import { isExternal } from "node:util/types"
import { PayloadMemory } from "../../../blocking/src/internal/wire/payload.ts"
import { PayloadReader } from "../../../blocking/src/internal/wire/payloadReader.ts"
import { PayloadWriter } from "../../../blocking/src/internal/wire/payloadWriter.ts"
import { assertLikeClones } from "../../../blocking/test/utils/likeClones.ts"
import { payloads } from "../../src/internal/payloads.ts"

const make = () => {
  const writer = new PayloadWriter({ grow: () => false, partLength: Infinity }, payloads)
  const memory = new PayloadMemory(new SharedArrayBuffer(2 ** 20), payloads)
  const reader = new PayloadReader()
  return {
    write: (value: unknown, start = 0): boolean => writer.write(value, memory, start, 2 ** 20),
    read: (start = 0): unknown => reader.read(memory, start)
  }
}

describe("payloads of Node", () => {
  it("S4: values arrive as structured clone gives them", () => {
    assertLikeClones(payloads, 20_000)
  })

  it("S4: texts of all lengths and kinds arrive, at any offset", () => {
    const { read, write } = make()
    const characters = ["a", "\0", "\x7f", "\x80", "ÿ", "Ā", "\uD800", "\uDFFF", "\u{1F600}", "\uFEFF", "\uFFFF"]
    for (const character of characters) {
      for (const length of [1, 2, 11, 12, 13, 14, 15, 254, 255, 256, 257, 1000]) {
        for (const start of [0, 1, 2, 3]) {
          const texts = [character.repeat(length), "a".repeat(length) + character, character + "a".repeat(length)]
          // A rope, a slice of a text, and an ASCII text stored with two bytes per character.
          texts.push(texts.join("").slice(length), (texts[1]! + "Ā").slice(0, -1), `${length}${character}${start}`)
          assert.isTrue(write(texts, start))
          assert.deepStrictEqual(read(start), texts)
        }
      }
    }
  })

  it("S4: built-in objects and handles of native code that look like {} are no payloads", async () => {
    const { write } = make()
    const cases = [
      new Map([[1, 2]]),
      new Set([1]),
      new ArrayBuffer(1),
      new SharedArrayBuffer(1),
      Promise.resolve(),
      new WeakMap(),
      new WeakSet(),
      Object(Symbol("a")),
      Object(1n),
      (function*() {})(),
      new Map().entries(),
      new Set().values()
    ]
    for (const value of cases) {
      const tag = Object.prototype.toString.call(value)
      for (const prototype of [null, Object.prototype]) {
        Object.setPrototypeOf(value, prototype)
        assert.isFalse(write(value), tag)
        assert.isFalse(write({ deep: [value] }), tag)
      }
    }
    const server = createServer()
    await new Promise<void>((resolve) => server.listen(0, resolve))
    const { _externalStream: handle } = (server as never as { _handle: { _externalStream?: object } })._handle
    server.close()
    if (handle === undefined) return
    assert.isTrue(isExternal(handle))
    assert.isFalse(write(handle))
  })
})
