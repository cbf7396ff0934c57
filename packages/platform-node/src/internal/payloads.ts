/**
 * Node's part of reading and writing values in memory that threads share.
 *
 * Pool threads load this file.
 */
import type { PayloadPlatform } from "effect-blocking/ThreadHost"
import { Buffer } from "node:buffer"
import { types } from "node:util"

// Taken before a body, which runs in the same thread, can replace them.
const { allocUnsafeSlow, byteLength, from } = Buffer
const { set } = Uint8Array.prototype
const { toString, write } = Buffer.prototype
const {
  isAnyArrayBuffer,
  isArgumentsObject,
  isArrayBufferView,
  isBoxedPrimitive,
  isDate,
  isExternal,
  isGeneratorObject,
  isMap,
  isMapIterator,
  isNativeError,
  isPromise,
  isProxy,
  isRegExp,
  isSet,
  isSetIterator,
  isWeakMap,
  isWeakSet
} = types

export const payloads: PayloadPlatform = {
  isProxy,
  isOpaque: (value) =>
    isExternal(value) || isArgumentsObject(value) || isNativeError(value) || isBoxedPrimitive(value) ||
    isDate(value) || isRegExp(value) || isMap(value) || isSet(value) || isArrayBufferView(value) ||
    isAnyArrayBuffer(value) ||
    isPromise(value) || isWeakMap(value) || isWeakSet(value) || isGeneratorObject(value) ||
    isMapIterator(value) || isSetIterator(value),
  // Not with `slice`, which fills the buffer with zeros first: fresh memory is most of the cost.
  copyOf: (buffer, start, length) => {
    const copy = allocUnsafeSlow(length)
    set.call(copy, new Uint8Array(buffer, start, length))
    return copy.buffer as ArrayBuffer
  },
  text: (memory) => {
    const buffer = from(memory)
    return {
      // In UTF-8, only ASCII characters take one byte.
      isAscii: (text) => byteLength(text) === text.length,
      write: (text, at) => void write.call(buffer, text, at, text.length, "latin1"),
      writeWide: (text, at) => void write.call(buffer, text, at, text.length * 2, "utf16le"),
      read: (start, end) => toString.call(buffer, "latin1", start, end),
      readWide: (start, end) => toString.call(buffer, "utf16le", start, end)
    }
  }
}
