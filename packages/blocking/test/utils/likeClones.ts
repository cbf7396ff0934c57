import { assert } from "@effect/vitest"
import { PayloadMemory, type PayloadPlatform } from "../../src/internal/wire/payload.ts"
import { PayloadReader } from "../../src/internal/wire/payloadReader.ts"
import { PayloadWriter } from "../../src/internal/wire/payloadWriter.ts"
import { plainValue } from "./plainValue.ts"
import { shape } from "./shape.ts"

/** Whether a view covers its whole buffer, as in a compact argument. */
const isCompact = (value: unknown): boolean => {
  const met = new Set<unknown>()
  const look = (part: unknown): boolean => {
    if (typeof part !== "object" || part === null || met.has(part)) return true
    met.add(part)
    if (ArrayBuffer.isView(part)) return part.byteLength === part.buffer.byteLength
    if (part instanceof Map) return Array.from(part).every((entry) => entry.every(look))
    if (part instanceof Set) return Array.from(part).every(look)
    return Object.values(part).every(look)
  }
  return look(value)
}

/** Asserts that each of `count` values arrives as its structured clone, or is no payload; most are payloads. */
export const assertLikeClones = (platform: PayloadPlatform, count: number): void => {
  const reader = new PayloadReader()
  const writer = new PayloadWriter({ grow: () => false, partLength: Infinity }, platform)
  const memory = new PayloadMemory(new SharedArrayBuffer(2 ** 20), platform)
  let written = 0
  for (let seed = 0; seed < count; seed++) {
    const value = plainValue(seed)
    // Also unaligned, for numbers of several bytes.
    const start = (seed * 7) % 64
    if (!writer.write(value, memory, start, 2 ** 20)) continue
    const arrived = reader.read(memory, start)
    if (!isCompact(value)) continue
    written++
    assert.deepStrictEqual(shape(arrived), shape(structuredClone(value)), `seed ${seed}`)
  }
  assert.isAbove(written, count * 0.75)
}
