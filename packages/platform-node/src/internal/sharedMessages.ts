/**
 * Large messages between two processes, in the file that they share: to write there and read
 * from there takes a tenth of the time that a pipe takes. The pipe only tells where one lies,
 * and has the next in its order.
 *
 * Each direction has an area of its own, which is filled from its beginning, and again when
 * all that is in there has been read.
 *
 * Pool processes load this file.
 */
import { sharedFlagsBytes } from "effect-blocking/RemoteThread"
import { readSync, writeSync, writevSync } from "node:fs"

/** Shorter messages are sent by the pipe. Measured: there it is what costs. */
export const leastBytes = 2 ** 15

/** Of one direction. Pages that are never used cost nothing. Arbitrary: in a container, memory of that kind can be scarce. */
const areaBytes = 2 ** 23

export const ToProcess = 0
export const ToProgram = 1
export type Direction = typeof ToProcess | typeof ToProgram

/** Behind the flags, where the reader of that direction counts what it has read. */
const countAt = (direction: Direction): number => sharedFlagsBytes + 4 * direction

/** Behind the flags and the counts, at the beginning of a page. */
const areaAt = (direction: Direction): number => 2 ** 12 + areaBytes * direction

/** How the file is reached; `undefined` when it is closed. */
export type Descriptor = () => number | undefined

/** The memory that a message was read into last: to get fresh memory is most of what reading costs. */
let kept: Buffer | undefined

/** Arbitrary: some megabytes. */
const maxKept = 2 ** 22

const takeMemory = (length: number): Buffer => {
  const memory = kept !== undefined && kept.length >= length
    ? kept
    : Buffer.allocUnsafeSlow(2 ** Math.ceil(Math.log2(length)))
  kept = undefined
  return memory.subarray(0, length)
}

/** The message is needed no longer: its memory is the next one's. */
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

  /** Answers where in the file the message lies; `undefined` if there is no room for it. */
  write(message: ReadonlyArray<Uint8Array>, length: number): number | undefined {
    const fd = this.descriptor()
    if (fd === undefined) return undefined
    if (this.used > 0 && this.isAllRead(fd)) this.used = 0
    if (this.used + length > areaBytes) return undefined
    const at = areaAt(this.direction) + this.used
    try {
      if (writevSync(fd, message, at) < length) return undefined
    } catch {
      // The memory is used up, for one.
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

  /** Reads the next message, and gives its place free. What it returns can be given back when it was read. */
  read(at: number, length: number): Buffer {
    const fd = this.descriptor()!
    const bytes = takeMemory(length)
    const count = readSync(fd, bytes, 0, length, at)
    if (count < length) throw new Error(`${count} of ${length} bytes of a message are there`)
    this.count[0] = (this.count[0]! + 1) | 0
    writeSync(fd, this.countBytes, 0, 4, countAt(this.direction))
    return bytes
  }
}
