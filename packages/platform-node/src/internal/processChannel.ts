/**
 * Messages from the program to one of its processes, by a pipe of their own: the channel
 * of `process.send` belongs to the tasks, whose messages would look like ours, and whose
 * listeners could be removed together with ours. What comes back goes by `processCalls.ts`.
 *
 * Pool processes load this file.
 */
import type { Socket } from "node:net"
import * as SharedMessages from "./sharedMessages.ts"

/** Where a process has the pipe among its descriptors. */
export const channelFd = 5

/** The length of the message that follows, as a float: it can be more than 4 GB. */
export const headerBytes = 8

/** The header of a message in the shared file: its length, negative, and its place. */
const referenceBytes = 16

/** A message, one part behind the other. */
export type Message = ReadonlyArray<Uint8Array>

export const lengthOf = (message: Message): number => {
  let length = 0
  for (const part of message) length += part.length
  return length
}

/** The message with its length in front, as a copy. */
export const frame = (message: Message): Buffer => {
  const length = lengthOf(message)
  const framed = Buffer.allocUnsafe(headerBytes + length)
  framed.writeDoubleLE(length, 0)
  let at = headerBytes
  for (const part of message) {
    framed.set(part, at)
    at += part.length
  }
  return framed
}

/** Puts a large message into the shared file, and returns what tells of it; `undefined` for one that is to be sent itself. */
export const share = (message: Message, shared: SharedMessages.SharedWriter): Buffer | undefined => {
  const length = lengthOf(message)
  if (length < SharedMessages.leastBytes) return undefined
  const at = shared.write(message, length)
  if (at === undefined) return undefined
  const reference = Buffer.allocUnsafe(referenceBytes)
  reference.writeDoubleLE(-length, 0)
  reference.writeDoubleLE(at, headerBytes)
  return reference
}

/** Reads what has its length in front. `onMessage` answers whether the bytes are needed no longer. */
export const receive = (
  socket: Socket,
  shared: SharedMessages.SharedReader,
  onMessage: (bytes: Buffer) => boolean
): void => {
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
      const length = bytes.readDoubleLE(0)
      wanted = length < 0 ? referenceBytes : headerBytes + length
      if (bytes.length < wanted) break
      const message = length < 0
        ? shared.read(bytes.readDoubleLE(headerBytes), -length)
        : bytes.subarray(headerBytes, wanted)
      bytes = bytes.subarray(wanted)
      wanted = headerBytes
      if (onMessage(message) && length < 0) SharedMessages.giveBack(message)
    }
    // Nothing of it may be kept that is not needed: it can be large, and the next may be long in coming.
    chunks = bytes.length === 0 ? [] : [bytes]
    size = bytes.length
  })
}
