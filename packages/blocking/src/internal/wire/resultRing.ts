/**
 * Results that a thread leaves in shared memory, one behind the other in a ring: the thread
 * writes them in the order in which it ends tasks, and the scheduler reads them in the same
 * order and says how far it has read. Like all in the control block, they outlive their thread.
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

/** Bytes from so many on are copied once and moved, not copied into the ring and out of it. Measured: a message costs as much as the second copy. */
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

  /** What of the last result has to be sent beside it. */
  get parts(): Array<ArrayBuffer> {
    return this.writer.parts
  }

  /** Leaves a result in the ring and says where; -1 if it has no place there. */
  write(value: unknown): number {
    const read = load(this.read, 0)
    let start = this.head
    let end = ringLength
    if (read > start) {
      // What is not read lies before the end and at the beginning. A byte between stays free: full is not empty.
      end = read - 1
    } else if (read > maxLength && (end - start < maxLength || read === start)) {
      // Back to the beginning: at the end there is too little room, or all is read, and what was used before is warm.
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

  /** The result that lies there. */
  value(reader: PayloadReader, start: number, parts: ReadonlyArray<ArrayBuffer> | undefined): unknown {
    return reader.read(this.memory, start, parts)
  }

  /** The result that lies there, and all before it, are read: their place is free. */
  free(start: number): void {
    store(this.read, 0, start + this.memory.lengthOf(start))
  }
}
