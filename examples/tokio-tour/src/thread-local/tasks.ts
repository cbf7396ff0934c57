/** Pool threads load this module. */
import { Task } from "effect-blocking"

/** Each thread makes its own when it first asks. */
const calls = Task.threadLocal(() => ({ count: 0 }))

/** Counts the calls on its thread. */
export const countCall = Task.make(import.meta.url, "countCall", () => ++calls().count)

/** Changes bytes, and gives them back without a copy. */
export const invert = Task.make(import.meta.url, "invert", (bytes: Uint8Array) => {
  for (let i = 0; i < bytes.length; i++) bytes[i] = 255 - bytes[i]!
  return Task.move(bytes)
})
