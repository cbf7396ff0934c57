/**
 * The memory that a thread shares with its scheduler: which side owns each task of a batch,
 * which one runs, whether it is asked to stop, and small results.
 *
 * Every task sent to a thread has a sequence number, counted per thread. Its cell
 * holds `sequence << 2 | state`. The side that wins the compare-exchange away from
 * `Offered` owns the task: either the thread claims and runs it, or the scheduler
 * revokes it and it never runs there. Because the cell carries the whole sequence
 * number, a cell that has been given to a later task refuses a claim of the earlier
 * one: cells can be reused without waiting for the thread.
 *
 * Numbers, booleans, `null` and `undefined` are stored here as well: a result of that
 * kind, and up to four arguments if all are. For other plain values, the block holds their
 * address in shared memory. Such values need no message, which costs more
 * than a tiny task. And a thread that is terminated in the next task of its batch
 * loses no result.
 *
 * Pool threads load this file: it imports nothing.
 */

// Taken before a body, which runs in the same thread, can replace them.
const { add, compareExchange, load, notify, store, wait } = Atomics

/** Cells of one thread: the maximum number of tasks on it at once. A power of two. Measured: more gain nothing. */
export const capacity = 128

/** How many arguments are stored here, at most. Arbitrary: tasks with more small arguments are rare. */
const maxArguments = 4

/** Sequence number of the run that is asked to stop. */
const Stop = 0
/** Sequence number of the body that the thread is in, 0 for none. */
const Current = 1
/** Sequence number of the last task that the thread has ended or skipped. */
const Passed = 2
/** How far the scheduler has read the ring of results. */
const RingRead = 3
/** Counts the wake-ups of the thread by a message. */
const Wakes = 4
/** Sequence number of the body that may make one more chunk before it is left. */
const GoOn = 5
/** One more than the index of the loop's current item, 0 for none. */
const Item = 6
/** The cells; then the kinds of the results, the tasks' indices, and the kinds of their arguments. Even, for the Float64 view. */
const Cells = 8
const Kinds = Cells + capacity
const Tasks = Kinds + capacity
const Shapes = Tasks + capacity
/** Addresses of payloads: for arguments the chunk and the offset in it, for a result the offset in the ring. */
const Chunks = Shapes + capacity
const ArgumentsAt = Chunks + capacity
const ResultsAt = ArgumentsAt + capacity
const int32Length = ResultsAt + capacity

/** In the Float64 view, after the integers: the start of the current body, then some numbers for each cell. */
const Started = int32Length / 2
/** Bytes of the thread's heap at the last measurement. */
const Heap = Started + 1
const Values = Heap + 1
const StartTimes = Values + capacity
const EndTimes = StartTimes + capacity
const Arguments = EndTimes + capacity
const float64Length = Arguments + capacity * maxArguments

const Ended = 0
const Offered = 1
const Claimed = 2
const Revoked = 3

/** 28 bits, so that `sequence << 2` stays a positive Int32. */
const lastSequence = 0x0fffffff

/** Kinds of values, three bits each. `Posted`: the value is in a message. */
export const Posted = 0
const NumberKind = 1
const TrueKind = 2
const FalseKind = 3
const NullKind = 4
const UndefinedKind = 5
/** The value is in the ring of the thread. */
export const InRing = 6

const kindBits = 3
const kindMask = (1 << kindBits) - 1

/** Instead of the arguments' kinds: the arguments are a payload in a chunk. */
const PayloadShape = -1

export interface ControlBlock {
  readonly int32: Int32Array
  readonly float64: Float64Array
}

export const make = (): ControlBlock => view(new SharedArrayBuffer(float64Length * 8))

/** The control block in memory from the other side. */
export const view = (memory: SharedArrayBuffer): ControlBlock => ({
  int32: new Int32Array(memory),
  float64: new Float64Array(memory)
})

/** The cell that says how far the ring of results is read. */
export const ringRead = ({ int32 }: ControlBlock): Int32Array => int32.subarray(RingRead, RingRead + 1)

export const nextSequence = (sequence: number): number => plus(sequence, 1)

/**
 * The sequence number `count` tasks later. After the last number comes the first
 * that is not below `capacity`: its cell follows that of the last, so that tasks
 * that are out at once never share a cell; and it is not 0.
 */
export const plus = (sequence: number, count: number): number => {
  const sum = sequence + count
  return sum > lastSequence ? sum - lastSequence - 1 + capacity : sum
}

/** Whether a task was sent no later than another, for two tasks that can be out at once. */
export const isUpTo = (sequence: number, last: number): boolean =>
  ((last - sequence) & lastSequence) <= lastSequence >> 1

// -----------------------------------------------------------------------------
// The scheduler's side
// -----------------------------------------------------------------------------

/** Whether these arguments fit in the block. */
export const fits = (args: ReadonlyArray<unknown>): boolean => {
  if (args.length > maxArguments) return false
  for (let i = 0; i < args.length; i++) if (kindOf(args[i]) === Posted) return false
  return true
}

/** Offers a task to the thread, with its arguments as a payload in a chunk. */
export const offerPayload = (
  { int32 }: ControlBlock,
  sequence: number,
  task: number,
  chunk: number,
  at: number
): void => {
  const index = sequence % capacity
  int32[Tasks + index] = task
  int32[Shapes + index] = PayloadShape
  int32[Chunks + index] = chunk
  int32[ArgumentsAt + index] = at
  store(int32, Cells + index, sequence << 2 | Offered)
}

/** Offers a task to the thread. `false`: its arguments do not fit here and have to be posted. */
export const offer = (
  { float64, int32 }: ControlBlock,
  sequence: number,
  task: number,
  args: ReadonlyArray<unknown> | Uint8Array
): boolean => {
  const index = sequence % capacity
  const count = args.length
  let shape = Posted
  if (count <= maxArguments && Array.isArray(args)) {
    // The count, plus one, in the lowest bits: 0 means posted arguments.
    shape = count + 1
    for (let i = 0; i < count; i++) {
      const value = args[i]
      const kind = kindOf(value)
      if (kind === Posted) {
        shape = Posted
        break
      }
      if (kind === NumberKind) float64[Arguments + index * maxArguments + i] = value as number
      shape |= kind << (i + 1) * kindBits
    }
  }
  int32[Tasks + index] = task
  int32[Shapes + index] = shape
  store(int32, Cells + index, sequence << 2 | Offered)
  return shape !== Posted
}

/** `true`: the thread has not started the task and never will. */
export const revoke = ({ int32 }: ControlBlock, sequence: number): boolean => {
  const offered = sequence << 2 | Offered
  return compareExchange(int32, Cells + sequence % capacity, offered, sequence << 2 | Revoked) === offered
}

/** Whether the thread may still claim the task. */
export const isOffered = ({ int32 }: ControlBlock, sequence: number): boolean =>
  load(int32, Cells + sequence % capacity) === (sequence << 2 | Offered)

/** Whether the thread has claimed the task, which has not ended. */
export const isClaimed = ({ int32 }: ControlBlock, sequence: number): boolean =>
  load(int32, Cells + sequence % capacity) === (sequence << 2 | Claimed)

/** Whether the task has ended in the thread, even if its message has not arrived. */
export const hasEnded = ({ int32 }: ControlBlock, sequence: number): boolean =>
  load(int32, Cells + sequence % capacity) === (sequence << 2 | Ended)

/** Requests a stop. It names its run, so a late one affects no other task. */
export const requestStop = ({ int32 }: ControlBlock, sequence: number): void => {
  store(int32, Stop, sequence)
}

/** Lets a body make one more chunk before it is left. */
export const letGoOn = ({ int32 }: ControlBlock, sequence: number): void => {
  store(int32, GoOn, sequence)
}

/** Wakes the thread for a message, if it is blocked until one comes. */
export const wake = ({ int32 }: ControlBlock): void => {
  add(int32, Wakes, 1)
  notify(int32, Wakes)
}

/** When the body was entered, by the clock of the thread host; `undefined` if it is not in the body. */
export const startedAt = ({ float64, int32 }: ControlBlock, sequence: number): number | undefined => {
  if (load(int32, Current) !== sequence) return undefined
  const time = float64[Started]
  // The time is not written atomically with the sequence number: it belongs to this run
  // only if the run is still the current one after the time was read.
  return load(int32, Current) === sequence ? time : undefined
}

/** The current item of the thread's loop, if any. */
export const item = ({ int32 }: ControlBlock): number | undefined => {
  const cell = load(int32, Item)
  return cell === 0 ? undefined : cell - 1
}

/** Whether the thread is in the body of the task. */
export const isEntered = ({ int32 }: ControlBlock, sequence: number): boolean => load(int32, Current) === sequence

export const passed = ({ int32 }: ControlBlock): number => load(int32, Passed)

/** The offset of a task's result in the ring of its thread. */
export const resultAt = ({ int32 }: ControlBlock, sequence: number): number => int32[ResultsAt + sequence % capacity]!

export const resultKind = ({ int32 }: ControlBlock, sequence: number): number => int32[Kinds + sequence % capacity]!

/** The result of a task that has ended, if its kind is not `Posted`. */
export const result = ({ float64, int32 }: ControlBlock, sequence: number): unknown => {
  const index = sequence % capacity
  return valueOf(int32[Kinds + index]!, float64, Values + index)
}

/** Bytes of the thread's heap at the last measurement, 0 before the first. */
export const heap = ({ float64 }: ControlBlock): number => float64[Heap]!

/** When the body of an ended task was entered, 0 if it was not. */
export const startTime = ({ float64 }: ControlBlock, sequence: number): number =>
  float64[StartTimes + sequence % capacity]!

export const endTime = ({ float64 }: ControlBlock, sequence: number): number => float64[EndTimes + sequence % capacity]!

// -----------------------------------------------------------------------------
// The thread's side
// -----------------------------------------------------------------------------

/** Whether the body may make one more chunk: `true` once for each `letGoOn`. */
export const takeGoOn = ({ int32 }: ControlBlock, sequence: number): boolean =>
  compareExchange(int32, GoOn, sequence, 0) === sequence

/** `true`: the thread owns the task, and runs it. */
export const claim = ({ int32 }: ControlBlock, sequence: number): boolean => {
  const offered = sequence << 2 | Offered
  return compareExchange(int32, Cells + sequence % capacity, offered, sequence << 2 | Claimed) === offered
}

/** The index of an offered task. */
export const taskOf = ({ int32 }: ControlBlock, sequence: number): number => int32[Tasks + sequence % capacity]!

/** The chunk with the arguments of an offered task, -1 for none. */
export const chunkOf = ({ int32 }: ControlBlock, sequence: number): number => {
  const index = sequence % capacity
  return int32[Shapes + index] === PayloadShape ? int32[Chunks + index]! : -1
}

/** Their offset in the chunk. */
export const argumentsAt = ({ int32 }: ControlBlock, sequence: number): number =>
  int32[ArgumentsAt + sequence % capacity]!

/** The arguments of an offered task; `undefined` if they were posted. */
export const argumentsOf = ({ float64, int32 }: ControlBlock, sequence: number): Array<unknown> | undefined => {
  const index = sequence % capacity
  let shape = int32[Shapes + index]!
  if (shape === Posted) return undefined
  const args: Array<unknown> = []
  const first = Arguments + index * maxArguments
  for (let i = first, end = first + (shape & kindMask) - 1; i < end; i++) {
    shape >>= kindBits
    args.push(valueOf(shape & kindMask, float64, i))
  }
  return args
}

/** How often the thread was woken. */
export const wakes = ({ int32 }: ControlBlock): number => load(int32, Wakes)

/** How often a thread spins before it sleeps: about 20 µs, in which most programs answer. Measured: the sleep is a third of a round trip. */
const spins = 10_000

/** Blocks the thread, unless it was woken since `seen` was read. */
export const awaitWake = ({ int32 }: ControlBlock, seen: number): void => {
  for (let i = 0; i < spins; i++) if (load(int32, Wakes) !== seen) return
  wait(int32, Wakes, seen)
}

export const isStopRequested = (int32: Int32Array, sequence: number): boolean => load(int32, Stop) === sequence

export const enter = ({ float64, int32 }: ControlBlock, sequence: number, now: number): void => {
  float64[Started] = now
  store(int32, Current, sequence)
}

/** Records the current item of a loop; `-1` for none. */
export const setItem = ({ int32 }: ControlBlock, index: number): void => {
  int32[Item] = index + 1
}

/** Stores a result here if it fits; `false` if it has to be posted. */
export const keep = ({ float64, int32 }: ControlBlock, sequence: number, value: unknown): boolean => {
  const kind = kindOf(value)
  if (kind === Posted) return false
  const index = sequence % capacity
  if (kind === NumberKind) float64[Values + index] = value as number
  int32[Kinds + index] = kind
  return true
}

/** Stores the offset of a result in the ring; `kind`: `Posted` if parts of it follow in a message. */
export const keepAt = ({ int32 }: ControlBlock, sequence: number, kind: number, at: number): void => {
  const index = sequence % capacity
  int32[ResultsAt + index] = at
  int32[Kinds + index] = kind
}

export const willPost = ({ int32 }: ControlBlock, sequence: number): void => {
  int32[Kinds + sequence % capacity] = Posted
}

/** The task has ended; its result was stored, or its kind is `Posted` and its message follows. */
export const end = ({ float64, int32 }: ControlBlock, sequence: number, startTime: number, endTime: number): void => {
  const index = sequence % capacity
  float64[StartTimes + index] = startTime
  float64[EndTimes + index] = endTime
  // In this order: a reader that sees the body left also sees the task ended.
  store(int32, Cells + index, sequence << 2 | Ended)
  store(int32, Current, 0)
  store(int32, Passed, sequence)
}

export const setHeap = ({ float64 }: ControlBlock, bytes: number): void => {
  float64[Heap] = bytes
}

/** The task was revoked, and the thread skips it. */
export const skip = ({ int32 }: ControlBlock, sequence: number): void => {
  store(int32, Passed, sequence)
}

// -----------------------------------------------------------------------------
// Values
// -----------------------------------------------------------------------------

const kindOf = (value: unknown): number => {
  if (typeof value === "number") return NumberKind
  if (value === undefined) return UndefinedKind
  if (value === true) return TrueKind
  if (value === false) return FalseKind
  return value === null ? NullKind : Posted
}

const valueOf = (kind: number, numbers: Float64Array, index: number): unknown => {
  switch (kind) {
    case NumberKind:
      return numbers[index]
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
