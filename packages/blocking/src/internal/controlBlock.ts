/**
 * The memory that a thread shares with its scheduler: which task of a batch belongs
 * to whom, which one runs, whether it is asked to stop, and what the small ones gave.
 *
 * Every task sent to a thread has a sequence number, counted per thread. Its cell
 * holds `sequence << 2 | state`, and whoever wins the compare-exchange that leaves
 * `Offered` owns the task: the thread claims it and runs it, or the scheduler
 * revokes it and it never runs there. Because the cell carries the whole sequence
 * number, a cell that has been given to a later task refuses a claim of the earlier
 * one: cells can be used again without waiting for the thread.
 *
 * A result that is a number, a boolean, `null` or `undefined` is left here as well.
 * It needs no message, and a thread that is terminated in the next task of its batch
 * cannot take it along.
 *
 * Pool threads load this file: it imports nothing.
 */

/** Cells of one thread, thus the most tasks that can be out on it at once. Measured: more gain nothing. */
export const capacity = 64

/** Sequence number of the run that is asked to stop. */
const Stop = 0
/** Sequence number of the body that the thread is in, 0 for none. */
const Current = 1
/** Sequence number of the last task that the thread is done with: ended, or passed over. */
const Passed = 2
/** The cells, and the kinds of the results beside them. */
const Cells = 4
const Kinds = Cells + capacity
const int32Length = Kinds + capacity

/** In the Float64 view, behind the integers: the start of the current body, then three numbers for each cell. */
const Started = int32Length / 2
const Values = Started + 2
const StartTimes = Values + capacity
const EndTimes = StartTimes + capacity
const float64Length = EndTimes + capacity

const Ended = 0
const Offered = 1
const Claimed = 2
const Revoked = 3

/** 28 bits, so that `sequence << 2` stays a positive Int32. */
const lastSequence = 0x0fffffff

/** Kinds of results. `Posted` is in a message. */
export const Posted = 0
const NumberKind = 1
const TrueKind = 2
const FalseKind = 3
const NullKind = 4
const UndefinedKind = 5

export interface ControlBlock {
  readonly int32: Int32Array
  readonly float64: Float64Array
}

export const make = (): ControlBlock => view(new SharedArrayBuffer(float64Length * 8))

/** The block in memory that the other side has made. */
export const view = (memory: SharedArrayBuffer): ControlBlock => ({
  int32: new Int32Array(memory),
  float64: new Float64Array(memory)
})

export const nextSequence = (sequence: number): number => sequence === lastSequence ? 1 : sequence + 1

/** Whether a task was sent no later than another, for any two that can be out at once. */
export const isUpTo = (sequence: number, last: number): boolean =>
  ((last - sequence) & lastSequence) <= lastSequence >> 1

// -----------------------------------------------------------------------------
// The scheduler's side
// -----------------------------------------------------------------------------

export const offer = ({ int32 }: ControlBlock, sequence: number): void => {
  Atomics.store(int32, Cells + sequence % capacity, sequence << 2 | Offered)
}

/** `true`: the thread has not started the task and never will. */
export const revoke = ({ int32 }: ControlBlock, sequence: number): boolean => {
  const offered = sequence << 2 | Offered
  return Atomics.compareExchange(int32, Cells + sequence % capacity, offered, sequence << 2 | Revoked) === offered
}

/** The thread has the task and is not done with it. */
export const isClaimed = ({ int32 }: ControlBlock, sequence: number): boolean =>
  Atomics.load(int32, Cells + sequence % capacity) === (sequence << 2 | Claimed)

/** The task has ended in the thread, whether or not a message has told so. */
export const hasEnded = ({ int32 }: ControlBlock, sequence: number): boolean =>
  Atomics.load(int32, Cells + sequence % capacity) === (sequence << 2 | Ended)

/** A stop names its run, so one that arrives late touches no other task. */
export const requestStop = ({ int32 }: ControlBlock, sequence: number): void => {
  Atomics.store(int32, Stop, sequence)
}

/** When the body was entered, on the clock of the thread host; `undefined` while it has not been. */
export const startedAt = ({ float64, int32 }: ControlBlock, sequence: number): number | undefined => {
  if (Atomics.load(int32, Current) !== sequence) return undefined
  const time = float64[Started]
  // The time is not written atomically with the sequence number: it is this run's
  // only if the run is still the current one after the time was read.
  return Atomics.load(int32, Current) === sequence ? time : undefined
}

/** Whether the thread is in the body of the task. */
export const isEntered = ({ int32 }: ControlBlock, sequence: number): boolean =>
  Atomics.load(int32, Current) === sequence

export const passed = ({ int32 }: ControlBlock): number => Atomics.load(int32, Passed)

export const resultKind = ({ int32 }: ControlBlock, sequence: number): number => int32[Kinds + sequence % capacity]!

/** The result of a task that has ended, if its kind is not `Posted`. */
export const result = ({ float64, int32 }: ControlBlock, sequence: number): unknown => {
  switch (int32[Kinds + sequence % capacity]) {
    case NumberKind:
      return float64[Values + sequence % capacity]
    case TrueKind:
      return true
    case FalseKind:
      return false
    case NullKind:
      return null
    default:
      return undefined
  }
}

/** When the body of a task that has ended was entered, 0 if it never was. */
export const startTime = ({ float64 }: ControlBlock, sequence: number): number =>
  float64[StartTimes + sequence % capacity]!

export const endTime = ({ float64 }: ControlBlock, sequence: number): number => float64[EndTimes + sequence % capacity]!

// -----------------------------------------------------------------------------
// The thread's side
// -----------------------------------------------------------------------------

/** `true`: the task is the thread's to run. */
export const claim = ({ int32 }: ControlBlock, sequence: number): boolean => {
  const offered = sequence << 2 | Offered
  return Atomics.compareExchange(int32, Cells + sequence % capacity, offered, sequence << 2 | Claimed) === offered
}

export const isStopRequested = (int32: Int32Array, sequence: number): boolean => Atomics.load(int32, Stop) === sequence

export const enter = ({ float64, int32 }: ControlBlock, sequence: number, now: number): void => {
  float64[Started] = now
  Atomics.store(int32, Current, sequence)
}

/** Leaves a result here if it fits; `false` if it has to be posted. */
export const keep = ({ float64, int32 }: ControlBlock, sequence: number, value: unknown): boolean => {
  const index = sequence % capacity
  let kind: number
  if (typeof value === "number") {
    float64[Values + index] = value
    kind = NumberKind
  } else if (value === undefined) kind = UndefinedKind
  else if (value === true) kind = TrueKind
  else if (value === false) kind = FalseKind
  else if (value === null) kind = NullKind
  else return false
  int32[Kinds + index] = kind
  return true
}

export const willPost = ({ int32 }: ControlBlock, sequence: number): void => {
  int32[Kinds + sequence % capacity] = Posted
}

/** The task has ended; its result was stored, or its kind is `Posted` and its message follows. */
export const end = ({ float64, int32 }: ControlBlock, sequence: number, startTime: number, endTime: number): void => {
  const index = sequence % capacity
  float64[StartTimes + index] = startTime
  float64[EndTimes + index] = endTime
  // In this order: who finds the body left finds the task ended.
  Atomics.store(int32, Cells + index, sequence << 2 | Ended)
  Atomics.store(int32, Current, 0)
  Atomics.store(int32, Passed, sequence)
}

/** The task was revoked, and the thread goes on behind it. */
export const skip = ({ int32 }: ControlBlock, sequence: number): void => {
  Atomics.store(int32, Passed, sequence)
}
