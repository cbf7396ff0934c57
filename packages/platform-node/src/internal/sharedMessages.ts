/**
 * Large messages between two processes, in the file that they share. Writing and reading it takes
 * a tenth of the time of a pipe. The pipe only carries the position of a message, in order with
 * the other messages.
 *
 * Each direction has its own area. It is filled from its beginning, and from there again when all
 * messages in it have been read.
 *
 * Pool processes load this file.
 */
import { sharedFlagsBytes } from "effect-blocking/RemoteThread"
import { readSync, writeSync, writevSync } from "node:fs"

/** Shorter messages are sent by the pipe. Measured: from here on, the pipe dominates the cost. */
export const leastBytes = 2 ** 15

/** The area of one direction. Pages that are never used cost nothing. Arbitrary: a container can have little shared memory. */
const areaBytes = 2 ** 23

export const ToProcess = 0
export const ToProgram = 1
export type Direction = typeof ToProcess | typeof ToProgram

/** The position, after the flags, where the reader of that direction counts the messages that it has read. */
const countAt = (direction: Direction): number => sharedFlagsBytes + 4 * direction

/** The position of an area: after the flags and the counts, at the beginning of a page. */
const areaAt = (direction: Direction): number => 2 ** 12 + areaBytes * direction

/** Returns the descriptor of the file; `undefined` once it is closed. */
export type Descriptor = () => number | undefined

/** The memory of an earlier message, for reuse: fresh memory is most of the cost of reading. */
let kept: Buffer | undefined

/** The most bytes that are kept. Arbitrary: some megabytes. */
const maxKept = 2 ** 22

const takeMemory = (length: number): Buffer => {
  const memory = kept !== undefined && kept.length >= length
    ? kept
    : Buffer.allocUnsafeSlow(2 ** Math.ceil(Math.log2(length)))
  kept = undefined
  return memory.subarray(0, length)
}

/** Lets the next message reuse the memory of one that is no longer needed. */
export const giveBack = ({ buffer }: Buffer): void => {
  if (buffer.byteLength <= maxKept) kept = Buffer.from(buffer)
}

export class SharedWriter {
  private written = 0
  private used = 0
  private readonly count = new Int32Array(1)
  private readonly countBytes = new Uint8Array(this.count.buffer)
  private readonly descriptor: Descriptor
  private readonly direction: Direction

  constructor(descriptor: Descriptor, direction: Direction) {
    this.descriptor = descriptor
    this.direction = direction
  }

  /** Writes a message and returns its position in the file; `undefined` if there is no room for it. */
  write(message: ReadonlyArray<Uint8Array>, length: number): number | undefined {
    const fd = this.descriptor()
    if (fd === undefined) return undefined
    if (this.used > 0 && this.isAllRead(fd)) this.used = 0
    if (this.used + length > areaBytes) return undefined
    const at = areaAt(this.direction) + this.used
    try {
      if (writevSync(fd, message, at) < length) return undefined
    } catch {
      // For example, the shared memory is full.
      return undefined
    }
    this.written = (this.written + 1) | 0
    this.used += length
    return at
  }

  private isAllRead(fd: number): boolean {
    readSync(fd, this.countBytes, 0, 4, countAt(this.direction))
    return this.count[0] === this.written
  }
}

export class SharedReader {
  private readonly count = new Int32Array(1)
  private readonly countBytes = new Uint8Array(this.count.buffer)
  private readonly descriptor: Descriptor
  private readonly direction: Direction

  constructor(descriptor: Descriptor, direction: Direction) {
    this.descriptor = descriptor
    this.direction = direction
  }

  /** Reads the next message and frees its place. The returned memory can be given back when it is no longer needed. */
  read(at: number, length: number): Buffer {
    const fd = this.descriptor()!
    const bytes = takeMemory(length)
    const count = readSync(fd, bytes, 0, length, at)
    if (count < length) throw new Error(`Only ${count} of ${length} bytes of a message could be read`)
    this.count[0] = (this.count[0]! + 1) | 0
    writeSync(fd, this.countBytes, 0, 4, countAt(this.direction))
    return bytes
  }
}
