/**
 * What Node adds for values in memory that threads share.
 *
 * Pool threads load this file.
 */
import type { PayloadPlatform } from "effect-blocking/ThreadHost"
import { Buffer } from "node:buffer"
import { types } from "node:util"

// Taken before a body, which runs in the same thread, can replace them.
const { byteLength, from } = Buffer
const { toString, write } = Buffer.prototype

export const payloads: PayloadPlatform = {
  isProxy: types.isProxy,
  text: (memory) => {
    const buffer = from(memory)
    return {
      // In UTF-8, whatever is not ASCII takes more than a byte.
      isAscii: (text) => byteLength(text) === text.length,
      write: (text, at) => void write.call(buffer, text, at, text.length, "latin1"),
      writeWide: (text, at) => void write.call(buffer, text, at, text.length * 2, "utf16le"),
      read: (start, end) => toString.call(buffer, "latin1", start, end),
      readWide: (start, end) => toString.call(buffer, "utf16le", start, end)
    }
  }
}
