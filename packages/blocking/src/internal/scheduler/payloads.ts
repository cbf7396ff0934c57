/**
 * The memory in which arguments wait and travel: chunks that the pool shares with all its
 * threads. They are written once, at the call, and read by whichever thread claims the task:
 * nothing is copied or sent when a task goes to a thread, is taken back, or goes to another.
 *
 * A chunk is filled from its beginning, and used again when nothing in it is needed any more:
 * what lies in it ends about as soon as what lies beside it. What is long gets a chunk of its own.
 */
import { PayloadMemory, type PayloadPlatform } from "../wire/payload.ts"
import { PayloadWriter } from "../wire/payloadWriter.ts"

/** Bytes of a chunk of short payloads. Arbitrary: of tiny objects, more than are out on all threads. */
const chunkLength = 2 ** 18

/**
 * Bytes from so many on are not written to a chunk: their copy is moved to the thread. Measured: fresh memory costs
 * ten times what a copy to warm memory does, and this way it is taken once each way.
 */
const partLength = 2 ** 17

/** Longer payloads have no place here; they are sent by message. */
const maxLength = 2 ** 30

/** Bytes that are kept in chunks without use, so that the next long payload finds memory that is warm. Arbitrary. */
const maxKept = 2 ** 24

/** Where in the chunks a payload lies: a chunk's number, and the place in it. */
export type PayloadAddress = number

export const chunkIndex = (address: PayloadAddress): number => Math.floor(address / maxLength)

export const placeOf = (address: PayloadAddress): number => address % maxLength

interface Chunk {
  readonly index: number
  readonly memory: PayloadMemory
  readonly length: number
  /** Where the next payload has its place. */
  used: number
  /** How many payloads in it are needed. */
  live: number
}

export class Payloads {
  /** By their number; a number is used again when its chunk was given up. */
  private readonly chunks: Array<Chunk | undefined> = []
  /** Without use, and kept. */
  private readonly free: Array<Chunk> = []
  private kept = 0
  /** Where short payloads are written. */
  private current: Chunk | undefined
  /** Where the payload is being written. */
  private target: Chunk | undefined
  private readonly writer: PayloadWriter
  private readonly platform: PayloadPlatform
  /** Told of a chunk that is there no longer. */
  private readonly onGivenUp: (index: number) => void

  /** `moves`: what is long is moved to the thread, and not written to a chunk. */
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

  /** Bytes of a payload. */
  lengthOf(address: PayloadAddress): number {
    return this.chunks[chunkIndex(address)]!.memory.lengthOf(placeOf(address))
  }

  memoryOf(index: number): SharedArrayBuffer {
    return this.chunks[index]!.memory.memory as SharedArrayBuffer
  }

  /** Writes a value and answers where it lies; `undefined` if it is none that a payload can be. */
  write(value: unknown): PayloadAddress | undefined {
    // A getter of a value that is being written has come back to here.
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

  /** What of the value that was written last is moved beside the payload. */
  get parts(): Array<ArrayBuffer> {
    return this.writer.parts
  }

  /** The payload is needed no longer. */
  release(address: PayloadAddress): void {
    const chunk = this.chunks[chunkIndex(address)]!
    if (--chunk.live === 0) this.recycle(chunk)
  }

  /** Gives up what is kept without use. */
  trim(): void {
    for (const chunk of this.free.splice(0)) this.giveUp(chunk)
    this.kept = 0
  }

  /** Goes on with what is being written in a chunk that has room for it. */
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
