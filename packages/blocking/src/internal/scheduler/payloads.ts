/**
 * The memory for arguments: chunks that the pool shares with all its
 * threads. Arguments are written once, at the call, and read by the thread that claims the task:
 * nothing is copied or sent when a task goes to a thread, is taken back, or goes to another.
 *
 * A chunk is filled from its beginning, and reused when none of its payloads is needed any more:
 * neighbours in a chunk end at about the same time. A long payload gets a chunk of its own.
 */
import { PayloadMemory, type PayloadPlatform } from "../wire/payload.ts"
import { PayloadWriter } from "../wire/payloadWriter.ts"

/** Bytes of a chunk of short payloads. Arbitrary: holds more tiny objects than are on all threads at once. */
const chunkLength = 2 ** 18

/**
 * Buffers of this size and more are not written to a chunk: their copy is moved to the thread. Measured: fresh memory
 * costs ten times as much as a copy to warm memory; this way it is allocated once in each direction.
 */
const partLength = 2 ** 17

/** Longer payloads are sent by message. */
const maxLength = 2 ** 30

/** Bytes of unused chunks to keep, so that the next long payload finds warm memory. Arbitrary. */
const maxKept = 2 ** 24

/** Address of a payload: the number of its chunk, and the offset in that chunk. */
export type PayloadAddress = number

export const chunkIndex = (address: PayloadAddress): number => Math.floor(address / maxLength)

export const placeOf = (address: PayloadAddress): number => address % maxLength

interface Chunk {
  readonly index: number
  readonly memory: PayloadMemory
  readonly length: number
  /** Where the next payload begins. */
  used: number
  /** How many of its payloads are needed. */
  live: number
}

export class Payloads {
  /** By number; the number of a chunk that was given up is reused. */
  private readonly chunks: Array<Chunk | undefined> = []
  /** Unused chunks that are kept. */
  private readonly free: Array<Chunk> = []
  private kept = 0
  /** The chunk for short payloads. */
  private current: Chunk | undefined
  /** The chunk of the payload that is being written. */
  private target: Chunk | undefined
  private readonly writer: PayloadWriter
  private readonly platform: PayloadPlatform
  /** A chunk was given up. */
  private readonly onGivenUp: (index: number) => void

  /** `moves`: long buffers are moved to the thread, and not written to a chunk. */
  constructor(platform: PayloadPlatform, moves: boolean, onGivenUp: (index: number) => void) {
    this.platform = platform
    this.onGivenUp = onGivenUp
    this.writer = new PayloadWriter(
      { grow: (_, needed) => this.grow(needed), partLength: moves ? partLength : Infinity },
      platform
    )
  }

  /** How many payloads are needed. */
  get live(): number {
    return this.chunks.reduce((sum, chunk) => sum + (chunk?.live ?? 0), 0)
  }

  /** Length of a payload in bytes. */
  lengthOf(address: PayloadAddress): number {
    return this.chunks[chunkIndex(address)]!.memory.lengthOf(placeOf(address))
  }

  memoryOf(index: number): SharedArrayBuffer {
    return this.chunks[index]!.memory.memory as SharedArrayBuffer
  }

  /** Writes a value and returns its address; `undefined` if a payload cannot represent it. */
  write(value: unknown): PayloadAddress | undefined {
    // A getter of the value that is being written has called back into here.
    if (this.writer.isWriting) return undefined
    const current = this.current ??= this.take(chunkLength)
    this.target = current
    const isWritten = this.writer.write(value, current.memory, current.used, current.length)
    const { target } = this
    this.target = undefined
    if (!isWritten) {
      if (target !== current) this.recycle(target)
      return undefined
    }
    target.used = this.writer.at
    target.live++
    if (target !== current && target.length === chunkLength) {
      this.current = target
      if (current.live === 0) this.recycle(current)
    }
    return target.index * maxLength + this.writer.start
  }

  /** Buffers of the last written value that are moved beside the payload. */
  get parts(): Array<ArrayBuffer> {
    return this.writer.parts
  }

  /** The payload is no longer needed. */
  release(address: PayloadAddress): void {
    const chunk = this.chunks[chunkIndex(address)]!
    if (--chunk.live === 0) this.recycle(chunk)
  }

  /** Gives up the unused chunks. */
  trim(): void {
    for (const chunk of this.free.splice(0)) this.giveUp(chunk)
    this.kept = 0
  }

  /** Continues the payload that is being written in a chunk with enough room. */
  private grow(needed: number): boolean {
    const { target, writer } = this
    const length = writer.at - writer.start + needed
    if (length > maxLength) return false
    const chunk = this.take(Math.max(chunkLength, 2 ** Math.ceil(Math.log2(length))))
    writer.moveTo(chunk.memory, 0, chunk.length)
    if (target !== this.current) this.recycle(target!)
    this.target = chunk
    return true
  }

  private take(length: number): Chunk {
    const found = this.free.findIndex((chunk) => chunk.length >= length && chunk.length <= 4 * length)
    if (found >= 0) {
      const [chunk] = this.free.splice(found, 1)
      this.kept -= chunk!.length
      return chunk!
    }
    const memory = new PayloadMemory(new SharedArrayBuffer(length), this.platform)
    const gap = this.chunks.indexOf(undefined)
    const chunk: Chunk = { index: gap < 0 ? this.chunks.length : gap, memory, length, used: 0, live: 0 }
    this.chunks[chunk.index] = chunk
    return chunk
  }

  private recycle(chunk: Chunk): void {
    chunk.used = 0
    if (chunk === this.current) return
    if (this.kept + chunk.length > maxKept) return this.giveUp(chunk)
    this.kept += chunk.length
    this.free.push(chunk)
  }

  private giveUp({ index }: Chunk): void {
    this.chunks[index] = undefined
    this.onGivenUp(index)
  }
}
