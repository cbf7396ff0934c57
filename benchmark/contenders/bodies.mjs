/**
 * The work itself, the same functions for every contender. Each stands alone (no import,
 * no outer variable): `multithreading` sends the text of a function to its threads.
 */

export const add = (a, b) => a + b

export const echo = (value) => value

/** Touches a buffer that is moved here, and gives it back to be moved again. */
export const flip = (bytes) => {
  bytes[0]++
  return bytes
}

/** Computes for about a millisecond; the same number every time. */
export const burn = (rounds) => {
  let x = 1
  for (let i = 0; i < rounds; i++) x = (Math.imul(x, 1664525) + 1013904223) | 0
  return x
}

/**
 * Computes for about 23 nanoseconds a round, most of them in native code: a loop of plain arithmetic is up to five times
 * quicker or slower by how V8 happens to compile it where it is called.
 */
export const waves = (rounds) => {
  let x = 1
  for (let i = 0; i < rounds; i++) x = Math.sin(x + i)
  return x
}

/** The same for an item that is an object. */
export const shout = ({ id, name, rounds }) => {
  let x = 1
  for (let i = 0; i < rounds; i++) x = Math.sin(x + i)
  return { id, text: name.toUpperCase(), x }
}

/** The same; an item below 0 is wrong. */
export const failing = (rounds) => {
  if (rounds < 0) throw new RangeError("below 0")
  let x = 1
  for (let i = 0; i < rounds; i++) x = Math.sin(x + i)
  return x
}

/** Blocks its thread without computing, as a query or a file would. */
export const nap = (millis) => {
  Atomics.wait(new Int32Array(new SharedArrayBuffer(4)), 0, 0, millis)
  return millis
}

/** Small objects, one after the other. */
export const rows = function*(count) {
  for (let id = 0; id < count; id++) yield { id, name: "Ada Lovelace", ok: true }
}

export const forever = () => {
  for (;;);
}

/** Says that it ran. */
export const tick = ({ state }) => Atomics.add(state, 0, 1)

/** Says that it runs, and blocks its thread until the gate opens. */
export const gate = ({ state }) => {
  Atomics.add(state, 0, 1)
  Atomics.wait(state, 1, 0)
  return 1
}
