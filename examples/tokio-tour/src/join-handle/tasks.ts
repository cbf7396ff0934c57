/** Three bodies that say when they begin. Pool threads load this module. */
import { Task } from "effect-blocking"
import * as Signal from "../signal.ts"

/** Waits to be let go. */
export const wait = Task.make(import.meta.url, "wait", (begun: Int32Array, letGo: Int32Array) => {
  Signal.count(begun)
  Signal.wait(letGo)
  return "let go"
})

/** Never ends. */
export const spin = Task.make(import.meta.url, "spin", (begun: Int32Array): void => {
  Signal.count(begun)
  while (true);
})

/** Ends when it is asked to. The grace period is long, because a busy machine may not run it for a moment. */
export const spinPolitely = Task.make(import.meta.url, "spinPolitely", (begun: Int32Array): void => {
  Signal.count(begun)
  while (true) Task.checkpoint()
}, { gracePeriod: "10 seconds" })
