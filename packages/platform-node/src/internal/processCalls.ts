/**
 * Calls of a body to the program, and the answers that it waits for: by a pipe of their own that
 * a process reads and writes with its own hands, because its event loop does not turn meanwhile.
 *
 * Pool processes load this file.
 */
import { readSync, writeSync } from "node:fs"

/** Where a process has the pipe among its descriptors. */
export const callsFd = 6

/** The length of the bytes that follow, as a float. */
const headerBytes = 8

/** The bytes with their length in front. */
export const frame = (bytes: Uint8Array): Buffer => {
  const framed = Buffer.allocUnsafe(headerBytes + bytes.length)
  framed.writeDoubleLE(bytes.length, 0)
  framed.set(bytes, headerBytes)
  return framed
}

/** In a process: sends all of it. */
export const send = (bytes: Uint8Array): void => {
  const framed = frame(bytes)
  for (let sent = 0; sent < framed.length;) sent += again(() => writeSync(callsFd, framed, sent))
}

/** In a process: waits for what comes next. Ends the process with a program that is gone. */
export const receive = (exit: (code: number) => never): Uint8Array => {
  const read = (length: number): Buffer => {
    const bytes = Buffer.allocUnsafe(length)
    for (let count = 0; count < length;) {
      const more = again(() => readSync(callsFd, bytes, count, length - count, null))
      if (more === 0) exit(1)
      count += more
    }
    return bytes
  }
  return read(read(headerBytes).readDoubleLE(0))
}

const pause = new Int32Array(new SharedArrayBuffer(4))

/** Whoever has made the pipe one that does not block, must not end a body. */
const again = (call: () => number): number => {
  while (true) {
    try {
      return call()
    } catch (error) {
      if ((error as NodeJS.ErrnoException).code !== "EAGAIN") throw error
      Atomics.wait(pause, 0, 0, 1)
    }
  }
}
