/** Pool threads load this module. */
import { Task } from "effect-blocking"
import { gunzipSync } from "node:zlib"

/** Unpacks a log, and counts its lines and those of errors. `atWork` counts how many do so at once. */
export const summarize = Task.make(import.meta.url, "summarize", (packed: Uint8Array, atWork: Int32Array) => {
  const atOnce = Atomics.add(atWork, 0, 1) + 1
  const lines = new TextDecoder().decode(gunzipSync(packed)).split("\n")
  const errors = lines.filter((line) => line.startsWith("ERROR")).length
  Atomics.sub(atWork, 0, 1)
  return { lines: lines.length, errors, atOnce }
})
