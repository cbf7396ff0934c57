/**
 * Messages from the program to one of its processes, by a pipe of their own: the channel
 * of `process.send` belongs to the tasks, whose messages would look like ours, and whose
 * listeners could be removed together with ours. What comes back goes by `processCalls.ts`.
 *
 * Pool processes load this file.
 */
import type { Socket } from "node:net"

/** Where a process has the pipe among its descriptors. */
export const channelFd = 5

/** The length of the message that follows, as a float: it can be more than 4 GB. */
export const headerBytes = 8

/** The bytes with their length in front, as a copy. */
export const frame = (bytes: Uint8Array): Buffer => {
  const framed = Buffer.allocUnsafe(headerBytes + bytes.length)
  framed.writeDoubleLE(bytes.length, 0)
  framed.set(bytes, headerBytes)
  return framed
}

export const send = (socket: Socket, bytes: Uint8Array): void => void socket.write(frame(bytes))

/** Reads what has its length in front. */
export const receive = (socket: Socket, onMessage: (bytes: Buffer) => void): void => {
  let chunks: Array<Buffer> = []
  let size = 0
  /** Until so many bytes are there, nothing can be read. */
  let wanted = headerBytes

  socket.on("data", (chunk: Buffer) => {
    chunks.push(chunk)
    size += chunk.length
    if (size < wanted) return
    let bytes = chunks.length === 1 ? chunk : Buffer.concat(chunks, size)
    wanted = headerBytes
    while (bytes.length >= wanted) {
      wanted = headerBytes + bytes.readDoubleLE(0)
      if (bytes.length < wanted) break
      const message = bytes.subarray(headerBytes, wanted)
      bytes = bytes.subarray(wanted)
      wanted = headerBytes
      onMessage(message)
    }
    // Nothing of it may be kept that is not needed: it can be large, and the next may be long in coming.
    chunks = bytes.length === 0 ? [] : [bytes]
    size = bytes.length
  })
}
