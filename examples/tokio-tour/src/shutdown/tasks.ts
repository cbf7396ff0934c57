/** Pool threads load this module. */
import { Task } from "effect-blocking"
import { readFileSync } from "node:fs"
import * as Signal from "../signal.ts"

/** Says that it has begun, and never ends. */
export const spin = Task.make(import.meta.url, "spin", (begun: Int32Array): void => {
  Signal.count(begun)
  while (true);
})

/** Says that it has begun, and reads. From a FIFO into which nobody writes, the system call never returns. */
export const read = Task.make(import.meta.url, "read", (begun: Int32Array, path: string) => {
  Signal.count(begun)
  return readFileSync(path, "utf8")
})
