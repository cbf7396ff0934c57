/**
 * Messages from a process to the program, and the answers that its bodies wait for. They have a
 * pipe of their own, which the process reads and writes synchronously, because its event loop is
 * blocked meanwhile. Written bytes are held by the operating system, and outlive the process.
 *
 * Pool processes load this file.
 */
import { readSync, writeSync } from "node:fs"
import { frame, headerBytes, type Message, share } from "./processChannel.ts"
import type { SharedWriter } from "./sharedMessages.ts"

/** The file descriptor of the pipe in a process. */
export const callsFd = 6

/** Sends a whole message, from a process. */
export const send = (message: Message, shared: SharedWriter): void => write(share(message, shared) ?? frame(message))

const write = (bytes: Uint8Array): void => {
  for (let sent = 0; sent < bytes.length;) sent += again(() => writeSync(callsFd, bytes, sent))
}

/** Waits, in a process, for the next message. Ends the process if the program is gone. */
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

/** Repeats a call while the pipe is not ready: other code may make it non-blocking, and that must not make a body fail. */
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
