/**
 * The memory that a thread shares with its scheduler: which task of a batch
 * belongs to whom, which one runs, and whether it is asked to stop.
 *
 * Every task sent to a thread has a sequence number, counted per thread. Its cell
 * holds `sequence << 2 | state`, and whoever wins the compare-exchange that leaves
 * `Offered` owns the task: the thread claims it and runs it, or the scheduler
 * revokes it and it never runs there. Because the cell carries the whole sequence
 * number, a cell that has been given to a later task refuses a claim of the earlier
 * one: cells can be used again without waiting for the thread.
 *
 * Pool threads load this file: it imports nothing.
 */

/** Cells of one thread, thus the most tasks that can be out on it at once. */
export const capacity = 64

const Stop = 0
const Current = 1
/** Index into the Float64 view (byte 8). */
const Started = 1
const Cells = 4

const Offered = 1
const Claimed = 2
const Revoked = 3

/** 28 bits, so that `sequence << 2` stays a positive Int32. */
const lastSequence = 0x0fffffff

export const make = (): Int32Array => new Int32Array(new SharedArrayBuffer((Cells + capacity) * 4))

export const nextSequence = (sequence: number): number => sequence === lastSequence ? 1 : sequence + 1

const cell = (sequence: number): number => Cells + (sequence % capacity)

// -----------------------------------------------------------------------------
// The scheduler's side
// -----------------------------------------------------------------------------

export const offer = (block: Int32Array, sequence: number): void => {
  Atomics.store(block, cell(sequence), sequence << 2 | Offered)
}

/** `true`: the thread has not started the task and never will. */
export const revoke = (block: Int32Array, sequence: number): boolean => {
  const offered = sequence << 2 | Offered
  return Atomics.compareExchange(block, cell(sequence), offered, sequence << 2 | Revoked) === offered
}

export const isClaimed = (block: Int32Array, sequence: number): boolean =>
  Atomics.load(block, cell(sequence)) === (sequence << 2 | Claimed)

/** A stop names its run, so one that arrives late touches no other task. */
export const requestStop = (block: Int32Array, sequence: number): void => {
  Atomics.store(block, Stop, sequence)
}

/** When the body was entered, on the clock of the thread host; `undefined` while it has not been. */
export const startedAt = (block: Int32Array, sequence: number): number | undefined => {
  if (Atomics.load(block, Current) !== sequence) return undefined
  const time = new Float64Array(block.buffer)[Started]
  // The time is not written atomically with the sequence number: it is this run's
  // only if the run is still the current one after the time was read.
  return Atomics.load(block, Current) === sequence ? time : undefined
}

/** Whether the body that the thread last claimed has been entered. */
export const wasEntered = (block: Int32Array, sequence: number): boolean => Atomics.load(block, Current) === sequence

// -----------------------------------------------------------------------------
// The thread's side
// -----------------------------------------------------------------------------

/** `true`: the task is the thread's to run. */
export const claim = (block: Int32Array, sequence: number): boolean => {
  const offered = sequence << 2 | Offered
  return Atomics.compareExchange(block, cell(sequence), offered, sequence << 2 | Claimed) === offered
}

export const enter = (block: Int32Array, clock: Float64Array, sequence: number, now: number): void => {
  clock[Started] = now
  Atomics.store(block, Current, sequence)
}

export const leave = (block: Int32Array): void => {
  Atomics.store(block, Current, 0)
}

export const isStopRequested = (block: Int32Array, sequence: number): boolean => Atomics.load(block, Stop) === sequence
