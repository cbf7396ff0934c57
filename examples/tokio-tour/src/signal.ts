/** A count in memory that bodies and the program share. Pool threads load this module. */

export const make = (): Int32Array => new Int32Array(new SharedArrayBuffer(Int32Array.BYTES_PER_ELEMENT))

/** Adds one, and wakes those who wait. */
export const count = (signal: Int32Array): void => {
  Atomics.add(signal, 0, 1)
  Atomics.notify(signal, 0)
}

/** Blocks the thread until it has been counted. */
export const wait = (signal: Int32Array): void => {
  Atomics.wait(signal, 0, 0)
}

/** Resolves when it has been counted, and blocks no thread. */
export const counted = async (signal: Int32Array): Promise<void> => {
  await Atomics.waitAsync(signal, 0, 0).value
}
