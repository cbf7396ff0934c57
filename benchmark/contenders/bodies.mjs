/**
 * The work itself, the same functions for every contender. Each function stands alone (no import,
 * no outer variable), because `multithreading` sends the text of a function to its threads.
 */

export const add = (a, b) => a + b

export const echo = (value) => value

/** Changes a buffer that was moved to this thread, and returns it to be moved back. */
export const flip = (bytes) => {
  bytes[0]++
  return bytes
}

/** Computes for about a millisecond. The result is always the same. */
export const burn = (rounds) => {
  let x = 1
  for (let i = 0; i < rounds; i++) x = (Math.imul(x, 1664525) + 1013904223) | 0
  return x
}

/**
 * Computes for about 23 nanoseconds a round, mostly in native code. The speed of plain arithmetic would vary by up to
 * five times, with the way that V8 happens to compile it.
 */
export const waves = (rounds) => {
  let x = 1
  for (let i = 0; i < rounds; i++) x = Math.sin(x + i)
  return x
}

/** `waves` for an item that is an object. */
export const shout = ({ id, name, rounds }) => {
  let x = 1
  for (let i = 0; i < rounds; i++) x = Math.sin(x + i)
  return { id, text: name.toUpperCase(), x }
}

/** `waves` that fails for an item below 0. */
export const failing = (rounds) => {
  if (rounds < 0) throw new RangeError("below 0")
  let x = 1
  for (let i = 0; i < rounds; i++) x = Math.sin(x + i)
  return x
}

/** Blocks its thread without computing, like a query or a file read. */
export const nap = (millis) => {
  Atomics.wait(new Int32Array(new SharedArrayBuffer(4)), 0, 0, millis)
  return millis
}

/** Yields small objects. */
export const rows = function*(count) {
  for (let id = 0; id < count; id++) yield { id, name: "Ada Lovelace", ok: true }
}

export const forever = () => {
  for (;;);
}

/** Notes that it ran. */
export const tick = ({ state }) => Atomics.add(state, 0, 1)

/** Notes that it runs, and blocks its thread until the gate opens. */
export const gate = ({ state }) => {
  Atomics.add(state, 0, 1)
  Atomics.wait(state, 1, 0)
  return 1
}
