/**
 * Messages between the program and one of its processes, by a pipe of their own: the channel
 * of `process.send` belongs to the tasks, whose messages would look like ours, and whose
 * listeners could be removed together with ours.
 *
 * Pool processes load this file.
 */
import type { Socket } from "node:net"
import { DefaultSerializer, deserialize } from "node:v8"

/** Where a process has the pipe among its descriptors. */
export const channelFd = 5

/** The length of the message that follows, as a float: it can be more than 4 GB. */
const headerBytes = 8

export const send = (socket: Socket, message: unknown): void => {
  const serializer = new DefaultSerializer()
  // Room for the length, in front of what it is the length of: one buffer, and one write.
  serializer.writeDouble(0)
  serializer.writeHeader()
  serializer.writeValue(message)
  const bytes = serializer.releaseBuffer()
  bytes.writeDoubleLE(bytes.length - headerBytes, 0)
  socket.write(bytes)
}

export const receive = (socket: Socket, onMessage: (message: unknown) => void): void =>
  receiveFrames(socket, (bytes) => onMessage(deserialize(bytes)))

/** Reads what has its length in front. */
export const receiveFrames = (socket: Socket, onFrame: (bytes: Buffer) => void): void => {
  let chunks: Array<Buffer> = []
  let size = 0
  /** Until so many bytes are there, nothing can be read. */
  let wanted = headerBytes

  socket.on("data", (chunk: Buffer) => {
    chunks.push(chunk)
    size += chunk.length
    while (size >= wanted) {
      const bytes = chunks.length === 1 ? chunks[0]! : Buffer.concat(chunks, size)
      const end = headerBytes + bytes.readDoubleLE(0)
      if (size < end) {
        chunks = [bytes]
        wanted = end
        return
      }
      // Nothing of it may be kept that is not needed: it can be large, and the next may be long in coming.
      chunks = size === end ? [] : [bytes.subarray(end)]
      size -= end
      wanted = headerBytes
      onFrame(bytes.subarray(headerBytes, end))
    }
  })
}
