/** Memory that the worker and the program share: what the one counts, the other sees. Pool threads load this module. */

/** Places in the array: files booked, files put aside, and one that never changes, on which the worker sleeps. */
export const booked = 0
export const rejected = 1
export const sleeping = 2

export const make = (): Int32Array => new Int32Array(new SharedArrayBuffer(3 * Int32Array.BYTES_PER_ELEMENT))

/** Counts, and wakes who waits for it. */
export const count = (progress: Int32Array, place: number): void => {
  Atomics.add(progress, place, 1)
  Atomics.notify(progress, place)
}
