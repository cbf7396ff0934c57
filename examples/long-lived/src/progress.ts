/** Counters in memory that the worker and the program share. Pool threads load this module. */

/** Indexes in the array: files booked, files put aside, and a value that never changes, on which the worker sleeps. */
export const booked = 0
export const rejected = 1
export const sleeping = 2

export const make = (): Int32Array => new Int32Array(new SharedArrayBuffer(3 * Int32Array.BYTES_PER_ELEMENT))

/** Increments a counter, and wakes the fibers that wait for it. */
export const count = (progress: Int32Array, place: number): void => {
  Atomics.add(progress, place, 1)
  Atomics.notify(progress, place)
}
