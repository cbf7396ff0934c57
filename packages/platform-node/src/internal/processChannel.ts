/**
 * Messages from the program to one of its processes. They have a pipe of their own, because
 * the channel of `process.send` belongs to the tasks: their messages could look like ours, and
 * they could remove our listeners. `processCalls.ts` has the other direction.
 *
 * Pool processes load this file.
 */
import type { Socket } from "node:net"
import * as SharedMessages from "./sharedMessages.ts"

/** The file descriptor of the pipe in a process. */
export const channelFd = 5

/** The length of the message that follows, as a float: it can be more than 4 GB. */
export const headerBytes = 8

/** Bytes of a reference to a message in the shared file: its negated length and its position. */
const referenceBytes = 16

/** A message, as parts in order. */
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

/** Writes a large message to the shared file and returns a reference to it; `undefined` if the message has to be sent itself. */
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

/** Reads messages and references. `onMessage` returns whether the bytes are no longer needed. */
export const receive = (
  socket: Socket,
  shared: SharedMessages.SharedReader,
  onMessage: (bytes: Buffer) => boolean
): void => {
  let chunks: Array<Buffer> = []
  let size = 0
  /** The number of bytes that must have arrived before anything can be read. */
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
    // Keeps no bytes that were read: they can be many, and the next message may be long in coming.
    chunks = bytes.length === 0 ? [] : [bytes]
    size = bytes.length
  })
}
