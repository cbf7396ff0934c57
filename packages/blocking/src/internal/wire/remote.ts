/**
 * What goes between a scheduler and a thread that shares no memory with it: the messages,
 * and the flags that both sides can look at although the other is in the middle of something.
 *
 * Pool threads load this file.
 */

/** A few bytes that both sides can read and write at any time; see `RemoteThread.SharedFlags`. */
export interface SharedFlags {
  /** Fills the bytes from that position on. */
  readonly read: (bytes: Uint8Array, position: number) => void
  readonly write: (bytes: Uint8Array, position: number) => void
}

/** The size of the shared flags, in bytes. */
export const sharedFlagsBytes = 24

/** To the thread, for each task: its sequence number, its index, its arguments. */
export type RunMessage = readonly [sequence: number, task: number, args: unknown]
/**
 * From the thread, for each task: what the control block would have told, how many calls it has ever
 * sent, which go another way and come before this, and the result of the task.
 */
export type EndedMessage = readonly [
  sequence: number,
  startTime: number,
  endTime: number,
  heap: number,
  calls: number,
  status: number,
  value: unknown
]
// All others are those of the protocol, encoded as a whole.
export type EncodedMessage = readonly [bytes: Uint8Array]

/** Sequence numbers, as in the control block: of the run that is asked to stop … */
export const Stop = 0
/** … that the scheduler wants back; negative when it has it … */
export const Revoke = 1
/** … that the thread has received … */
export const Claimed = 2
/** … whose body it has entered. */
export const Entered = 3
/** When it has, as Float64. */
export const Started = 2

/** Where the thread's part of the shared flags begins. */
const threadPart = Claimed * 4

export class SharedFlagsView {
  private readonly bytes = new Uint8Array(sharedFlagsBytes)
  readonly int32 = new Int32Array(this.bytes.buffer)
  readonly float64 = new Float64Array(this.bytes.buffer)
  private readonly flags: SharedFlags

  constructor(flags: SharedFlags) {
    this.flags = flags
  }

  read(): void {
    this.flags.read(this.bytes, 0)
  }

  write(cell: number, sequence: number): void {
    this.int32[cell] = sequence
    this.flags.write(this.bytes.subarray(cell * 4, cell * 4 + 4), cell * 4)
  }

  writeEntered(sequence: number, startedAt: number): void {
    this.int32[Entered] = sequence
    this.float64[Started] = startedAt
    this.flags.write(this.bytes.subarray(threadPart), threadPart)
  }
}

/** What is not an object needs no encoding of ours. */
export const unpack = (value: unknown, decode: (bytes: Uint8Array) => unknown): unknown =>
  value instanceof Uint8Array ? decode(value) : value
