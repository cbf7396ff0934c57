import { assert, describe, it } from "@effect/vitest"
import { sharedFlagsBytes } from "effect-blocking/RemoteThread"
import * as SharedFile from "../../src/internal/sharedFile.ts"
import { giveBack, SharedReader, SharedWriter, ToProcess, ToProgram } from "../../src/internal/sharedMessages.ts"

const make = (test: (file: SharedFile.OwnedSharedFile) => void): void => {
  const file = SharedFile.make()
  try {
    test(file)
  } finally {
    if (file.descriptor() !== undefined) file.close()
  }
}

/** A message of `length` bytes, different for each seed. */
const message = (length: number, seed: number): ReadonlyArray<Uint8Array> => {
  const bytes = new Uint8Array(length).map((_, i) => i * 7 + (i >> 8) + seed)
  return [bytes.subarray(0, length >> 2), bytes.subarray(length >> 2)]
}

const lengthOf = (parts: ReadonlyArray<Uint8Array>): number => parts.reduce((sum, { length }) => sum + length, 0)

const write = (writer: SharedWriter, parts: ReadonlyArray<Uint8Array>): number | undefined =>
  writer.write(parts, lengthOf(parts))

describe("sharedMessages", () => {
  it("messages arrive as they were sent, in both directions at once, and the flags stay unchanged", () =>
    make((file) => {
      const flags = new Uint8Array(sharedFlagsBytes).fill(9)
      file.write(flags, 0)
      const directions = ([ToProcess, ToProgram] as const).map((direction) => ({
        writer: new SharedWriter(file.descriptor, direction),
        reader: new SharedReader(file.descriptor, direction)
      }))
      for (let round = 0; round < 3; round++) {
        const sent = directions.flatMap(({ reader, writer }, d) =>
          [70_000, 1_000_000].map((length, i) => {
            const parts = message(length, 10 * round + 2 * d + i)
            return { reader, parts, at: write(writer, parts)! }
          })
        )
        for (const { at, parts, reader } of sent) {
          const bytes = reader.read(at, lengthOf(parts))
          assert.isTrue(bytes.equals(Buffer.concat(parts)))
          giveBack(bytes)
        }
      }
      const read = new Uint8Array(sharedFlagsBytes)
      file.read(read, 0)
      assert.deepStrictEqual(read, flags)
    }))

  it("unread messages are not overwritten; a message without room is refused", () =>
    make((file) => {
      const writer = new SharedWriter(file.descriptor, ToProgram)
      const reader = new SharedReader(file.descriptor, ToProgram)
      const parts = [1, 2, 3].map((seed) => message(2 ** 22, seed))
      const places = parts.map((each) => write(writer, each))
      assert.strictEqual(places[2], undefined)
      const first = reader.read(places[0]!, 2 ** 22)
      assert.isTrue(first.equals(Buffer.concat(parts[0]!)))
      assert.strictEqual(write(writer, parts[2]!), undefined, "the second has not been read")
      // The first has not been given back: it stays unchanged.
      const second = reader.read(places[1]!, 2 ** 22)
      assert.isTrue(second.equals(Buffer.concat(parts[1]!)))
      assert.isTrue(first.equals(Buffer.concat(parts[0]!)))
      assert.strictEqual(write(writer, parts[2]!), places[0])
      assert.strictEqual(write(writer, message(2 ** 23 + 1, 0)), undefined)
    }))

  it("an incomplete message is not read", () =>
    make((file) => {
      const at = write(new SharedWriter(file.descriptor, ToProgram), message(40_000, 1))!
      const reader = new SharedReader(file.descriptor, ToProgram)
      assert.throws(() => reader.read(at, 40_001), /40000 of 40001/)
    }))

  it("a closed file is not written, nor is another file with its descriptor", () =>
    make((file) => {
      const writer = new SharedWriter(file.descriptor, ToProcess)
      file.close()
      const next = SharedFile.make()
      assert.strictEqual(next.fd, file.fd)
      assert.strictEqual(write(writer, message(40_000, 1)), undefined)
      next.close()
    }))
})
