/**
 * Results in shared memory, one after the other in a ring: the thread
 * writes them in the order in which it ends tasks, and the scheduler reads them in the same
 * order and says how far it has read. Like values in the control block, they outlive their thread.
 *
 * Pool threads load this file: it imports nothing heavy.
 */
import { PayloadMemory, type PayloadPlatform } from "./payload.ts"
import type { PayloadReader } from "./payloadReader.ts"
import { PayloadWriter } from "./payloadWriter.ts"

/** Bytes of a ring. Pages that are never used cost nothing. Arbitrary: a batch of strings of 10 kB. */
export const ringLength = 2 ** 18

/** A longer result is posted. Arbitrary: an eighth of the ring. */
const maxLength = 2 ** 15

/** Buffers of this size and more are copied once and moved, not copied into the ring and out of it. Measured: a message costs as much as the second copy. */
const partLength = 2 ** 13

const { load, store } = Atomics

/** The thread's side. */
export class ResultWriter {
  private head = 0
  private readonly writer: PayloadWriter
  private readonly memory: PayloadMemory
  private readonly read: Int32Array

  constructor(memory: SharedArrayBuffer, read: Int32Array, platform: PayloadPlatform) {
    this.memory = new PayloadMemory(memory, platform)
    this.read = read
    this.writer = new PayloadWriter({ grow: () => false, partLength }, platform)
  }

  /** Parts of the last result that have to be sent by message. */
  get parts(): Array<ArrayBuffer> {
    return this.writer.parts
  }

  /** Writes a result to the ring and returns its offset; -1 if it does not fit. */
  write(value: unknown): number {
    const read = load(this.read, 0)
    let start = this.head
    let end = ringLength
    if (read > start) {
      // The unread results wrap around. One byte stays free, so that full differs from empty.
      end = read - 1
    } else if (read > maxLength && (end - start < maxLength || read === start)) {
      // Back to the beginning: the end has too little room, or everything is read and the beginning is warm memory.
      start = 0
      end = read - 1
    }
    if (!this.writer.write(value, this.memory, start, Math.min(end, start + maxLength))) return -1
    this.head = this.writer.at
    return start
  }
}

/** The scheduler's side. */
export class ResultReader {
  private readonly memory: PayloadMemory
  private readonly read: Int32Array

  constructor(memory: SharedArrayBuffer, read: Int32Array, platform: PayloadPlatform) {
    this.memory = new PayloadMemory(memory, platform)
    this.read = read
  }

  /** The result at `start`. */
  value(reader: PayloadReader, start: number, parts: ReadonlyArray<ArrayBuffer> | undefined): unknown {
    return reader.read(this.memory, start, parts)
  }

  /** Frees the result at `start` and all before it, which have been read. */
  free(start: number): void {
    store(this.read, 0, start + this.memory.lengthOf(start))
  }
}
