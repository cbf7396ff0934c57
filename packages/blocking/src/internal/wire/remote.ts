/**
 * The wire between a scheduler and a thread that shares no memory with it: the messages,
 * and the flags that each side can read although the other is busy.
 *
 * Pool threads load this file.
 */
import { capacity } from "./controlBlock.ts"
import { PayloadMemory, type PayloadPlatform } from "./payload.ts"
import { PayloadReader } from "./payloadReader.ts"
import { PayloadWriter } from "./payloadWriter.ts"

/** A few bytes that both sides can read and write at any time; see `RemoteThread.SharedFlags`. */
export interface SharedFlags {
  /** Fills `bytes` from `position` on. */
  readonly read: (bytes: Uint8Array, position: number) => void
  readonly write: (bytes: Uint8Array, position: number) => void
}

// -----------------------------------------------------------------------------
// Flags
// -----------------------------------------------------------------------------

/** Sequence numbers, as in the control block: the run that is asked to stop, … */
const Stop = 0
/** … the one that the thread has claimed last, … */
const Claimed = 2
/** … and the one whose body it has entered. */
const Entered = 3
/** When it has entered that, as Float64. */
const Started = 2
/** A cell for each task that can be out: its sequence number when the scheduler wants it back, negative when it has it back. */
const Revoke = 6

/** The size of the shared flags, in bytes. */
export const sharedFlagsBytes = (Revoke + capacity) * 4

/** Offset of the thread's part of the shared flags. */
const threadPart = Claimed * 4
const threadPartEnd = Revoke * 4

export class SharedFlagsView {
  private readonly bytes = new Uint8Array(sharedFlagsBytes)
  private readonly int32 = new Int32Array(this.bytes.buffer)
  private readonly float64 = new Float64Array(this.bytes.buffer)
  private readonly flags: SharedFlags

  constructor(flags: SharedFlags) {
    this.flags = flags
  }

  /** Reads the part that the other side has written. */
  read(): void {
    this.flags.read(this.bytes, 0)
  }

  get stop(): number {
    return this.int32[Stop]!
  }

  get claimed(): number {
    return this.int32[Claimed]!
  }

  get entered(): number {
    return this.int32[Entered]!
  }

  get startedAt(): number {
    return this.float64[Started]!
  }

  revoke(sequence: number): number {
    return this.int32[Revoke + sequence % capacity]!
  }

  writeStop(sequence: number): void {
    this.write(Stop, sequence)
  }

  writeClaimed(sequence: number): void {
    this.write(Claimed, sequence)
  }

  writeEntered(sequence: number, startedAt: number): void {
    this.int32[Entered] = sequence
    this.float64[Started] = startedAt
    this.flags.write(this.bytes.subarray(threadPart, threadPartEnd), threadPart)
  }

  /** `word`: the sequence number if wanted back, its negative if taken back, or 0. */
  writeRevoke(sequence: number, word: number): void {
    this.write(Revoke + sequence % capacity, word)
  }

  private write(cell: number, sequence: number): void {
    this.int32[cell] = sequence
    this.flags.write(this.bytes.subarray(cell * 4, cell * 4 + 4), cell * 4)
  }
}

// -----------------------------------------------------------------------------
// Messages
// -----------------------------------------------------------------------------

/**
 * The kinds of messages, in their first byte:
 *
 * | kind     | what follows                                                                       |
 * | -------- | ---------------------------------------------------------------------------------- |
 * | Protocol | a message of the protocol, encoded by the platform                                 |
 * | Batch    | first sequence number, count, then for each task: its index, its arguments         |
 * | Ended    | sequence number, status, when it was entered and left, bytes of the heap, a value  |
 * | Passed   | sequence number of the last task that the thread has skipped                       |
 *
 * A value is a payload or, if a payload cannot represent it, its length and the platform's
 * encoding. So a value that cannot be read is found, and fails only its own task.
 */
export const Protocol = 0
export const Batch = 1
export const Ended = 2
export const Passed = 3

const AsPayload = 0
const Encoded = 1

/** Bytes to keep for the next message. Arbitrary: a few megabytes. */
const maxKept = 2 ** 22
const leastLength = 2 ** 16

/** Longer payloads are sent without a copy. Arbitrary: a copy takes longer than a separate part. */
const leastPart = 2 ** 14

/** Writes messages, one at a time. */
export class MessageWriter {
  private memory: PayloadMemory
  /** The earlier parts of the message, and where the rest of it begins in the memory. */
  private parts: Array<Uint8Array> = []
  private from = 0
  private at = 0
  private readonly writer: PayloadWriter
  private readonly platform: PayloadPlatform
  private readonly encode: (value: unknown) => Uint8Array

  constructor(platform: PayloadPlatform, encode: (value: unknown) => Uint8Array) {
    this.platform = platform
    this.encode = encode
    this.memory = new PayloadMemory(new ArrayBuffer(leastLength), platform)
    this.writer = new PayloadWriter({
      grow: (writer, needed) => this.growPayload(writer, needed),
      partLength: Infinity
    }, platform)
  }

  /** Begins a message, and discards the last. */
  begin(kind: number): void {
    this.at = this.from = 0
    if (this.parts.length > 0) this.parts = []
    if (this.memory.bytes.length > maxKept) {
      this.memory = new PayloadMemory(new ArrayBuffer(leastLength), this.platform)
    }
    this.byte(kind)
  }

  byte(byte: number): void {
    this.reserve(1)
    this.memory.bytes[this.at++] = byte
  }

  int32(value: number): void {
    this.reserve(4)
    this.memory.view.setInt32(this.at, value, true)
    this.at += 4
  }

  float64(value: number): void {
    this.reserve(8)
    this.memory.view.setFloat64(this.at, value, true)
    this.at += 8
  }

  bytes(bytes: Uint8Array): void {
    this.reserve(bytes.length)
    this.memory.bytes.set(bytes, this.at)
    this.at += bytes.length
  }

  /** Throws for a value that cannot cross. */
  value(value: unknown): void {
    const from = this.at
    this.byte(AsPayload)
    if (this.writer.write(value, this.memory, this.at, this.memory.bytes.length)) {
      this.at = this.writer.at
    } else {
      this.at = from
      this.encoded(this.encode(value))
    }
  }

  /** Writes a value that the platform has encoded. */
  encoded(bytes: Uint8Array): void {
    this.byte(Encoded)
    this.float64(bytes.length)
    this.bytes(bytes)
  }

  /** Writes a value that is a payload in other memory. */
  payload(memory: PayloadMemory, start: number): void {
    this.byte(AsPayload)
    const bytes = memory.bytes.subarray(start, start + memory.lengthOf(start))
    if (bytes.length < leastPart) return this.bytes(bytes)
    this.endPart()
    this.parts.push(bytes)
  }

  /** The message as consecutive parts; valid until the next one begins. */
  end(): ReadonlyArray<Uint8Array> {
    this.endPart()
    return this.parts
  }

  private endPart(): void {
    if (this.at > this.from) this.parts.push(this.memory.bytes.subarray(this.from, this.at))
    this.from = this.at
  }

  private reserve(length: number): void {
    if (this.at + length > this.memory.bytes.length) this.grow(this.at, length)
  }

  /** Continues in other memory, with the first `kept` bytes of the message. */
  private grow(kept: number, needed: number): void {
    const grown = new PayloadMemory(new ArrayBuffer(2 ** Math.ceil(Math.log2(kept + needed))), this.platform)
    grown.bytes.set(this.memory.bytes.subarray(0, kept))
    this.memory = grown
  }

  private growPayload(writer: PayloadWriter, needed: number): boolean {
    const { at, start } = writer
    this.grow(start, at - start + needed)
    writer.moveTo(this.memory, start, this.memory.bytes.length)
    return true
  }
}

/** Reads messages, one at a time. */
export class MessageReader {
  /** The memory of the current message, or of an earlier one. */
  memory: PayloadMemory
  at = 0
  private end = 0
  private readonly nothing: PayloadMemory
  private readonly reader = new PayloadReader()
  private readonly platform: PayloadPlatform
  private readonly decode: (bytes: Uint8Array) => unknown

  constructor(platform: PayloadPlatform, decode: (bytes: Uint8Array) => unknown) {
    this.platform = platform
    this.decode = decode
    this.memory = this.nothing = new PayloadMemory(new ArrayBuffer(0), platform)
  }

  /** Begins a message, and returns its kind. */
  begin(message: Uint8Array): number {
    // Messages that arrive together share one buffer.
    if (this.memory.memory !== message.buffer) this.memory = new PayloadMemory(message.buffer, this.platform)
    this.at = message.byteOffset
    this.end = message.byteOffset + message.length
    return this.byte()
  }

  /** Drops a large message, which the next one may not replace for long. */
  forget(): void {
    if (this.memory.bytes.length > leastLength) this.memory = this.nothing
  }

  byte(): number {
    return this.memory.bytes[this.at++]!
  }

  int32(): number {
    this.at += 4
    return this.memory.view.getInt32(this.at - 4, true)
  }

  float64(): number {
    this.at += 8
    return this.memory.view.getFloat64(this.at - 8, true)
  }

  rest(): Uint8Array {
    return this.memory.bytes.subarray(this.at, this.end)
  }

  /** Skips a value. */
  skipValue(): void {
    if (this.byte() === AsPayload) this.at += this.memory.lengthOf(this.at)
    else this.at += this.float64() + 8
  }

  /** The value at `at`, in the memory of this or an earlier message. */
  value(memory = this.memory, at = this.at): unknown {
    if (memory.bytes[at] === AsPayload) return this.reader.read(memory, at + 1)
    const start = at + 9
    return this.decode(memory.bytes.subarray(start, start + memory.view.getFloat64(at + 1, true)))
  }
}
