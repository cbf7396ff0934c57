/** What a body does at a `fileGate`. Pool processes load this file: it imports no module of `effect`. */
import { appendFileSync, existsSync } from "node:fs"

/** Says that it is there, with its pid. */
export const arrive = (gate: string): void => appendFileSync(gate, `${process.pid}\n`)

/** Says that it is there, and waits until the gate is opened, or gone with its test. */
export const pass = (gate: string): void => {
  arrive(gate)
  while (!existsSync(`${gate}.open`) && existsSync(gate)) Atomics.wait(sleeper, 0, 0, 1)
}

const sleeper = new Int32Array(new SharedArrayBuffer(4))
