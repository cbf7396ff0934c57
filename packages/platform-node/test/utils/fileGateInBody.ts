/** A body's side of a `fileGate`. Pool processes load this file: it imports no module of `effect`. */
import { appendFileSync, existsSync } from "node:fs"

/** Reports its arrival, with its pid. */
export const arrive = (gate: string): void => appendFileSync(gate, `${process.pid}\n`)

/** Reports its arrival, and waits until the gate is opened, or removed with its test. */
export const pass = (gate: string): void => {
  arrive(gate)
  while (!existsSync(`${gate}.open`) && existsSync(gate)) Atomics.wait(sleeper, 0, 0, 1)
}

const sleeper = new Int32Array(new SharedArrayBuffer(4))
