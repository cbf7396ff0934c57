/** Pool threads load this module. */
import { Task } from "effect-blocking"

/** Nothing changes it or notifies it: a wait for it is a sleep that blocks the thread. */
const nothing = new Int32Array(new SharedArrayBuffer(Int32Array.BYTES_PER_ELEMENT))

/** Sleeps, and returns how many were asleep when it began, itself included. */
export const sleep = Task.make(import.meta.url, "sleep", (asleep: Int32Array, millis: number) => {
  const count = Atomics.add(asleep, 0, 1) + 1
  Atomics.wait(nothing, 0, 0, millis)
  Atomics.sub(asleep, 0, 1)
  return count
})
