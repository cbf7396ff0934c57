import { types } from "node:util"
import type { PayloadPlatform } from "../../src/internal/wire/payload.ts"

/** A simple and slow implementation. */
export const payloadPlatform: PayloadPlatform = {
  isProxy: types.isProxy,
  isOpaque: (value) => ArrayBuffer.isView(value) || Object.prototype.toString.call(value) !== "[object Object]",
  copyOf: (buffer, start, length) => Uint8Array.from(new Uint8Array(buffer, start, length)).buffer,
  text: (memory) => {
    const bytes = new Uint8Array(memory)
    const view = new DataView(memory)
    const list = <A>(length: number, f: (i: number) => A): ReadonlyArray<A> => Array.from({ length }, (_, i) => f(i))
    const write = (text: string, f: (code: number, i: number) => void): void => {
      for (let i = 0; i < text.length; i++) f(text.charCodeAt(i), i)
    }
    return {
      isAscii: (text) => Array.from(text).every((character) => character <= "\x7f"),
      write: (text, at) => write(text, (code, i) => (bytes[at + i] = code)),
      writeWide: (text, at) => write(text, (code, i) => view.setUint16(at + 2 * i, code, true)),
      read: (start, end) => list(end - start, (i) => String.fromCharCode(bytes[start + i]!)).join(""),
      readWide: (start, end) =>
        list((end - start) / 2, (i) => String.fromCharCode(view.getUint16(start + 2 * i, true))).join("")
    }
  }
}
