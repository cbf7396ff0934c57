/** Four tasks that do not end, and a short one. Pool threads load this module. */
import { Task } from "effect-blocking"
import { createHash } from "node:crypto"
import { closeSync, openSync, readFileSync, writeSync } from "node:fs"

const digestOf = (n: number): string => createHash("sha256").update(`${n}`).digest("hex")

/** Matches words with spaces between them. Before a "!", each letter doubles the number of tries: 40 letters take hours. */
export const validate = Task.make(import.meta.url, "validate", (text: string) => /^(\w+\s?)*$/.test(text))

/** Adds tenths until the sum is `goal`. It never is 1: ten tenths add up to 0.9999999999999999. */
export const sum = Task.make(import.meta.url, "sum", (goal: number) => {
  let steps = 0
  for (let total = 0; total !== goal; total += 0.1) steps++
  return steps
})

/** Exports a huge number of rows. It checks for a stop at each row, and always closes its file. */
export const exportRows = Task.make(import.meta.url, "exportRows", (path: string, rows: number) => {
  const file = openSync(path, "w")
  let row = 0
  try {
    for (; row < rows; row++) {
      Task.checkpoint()
      writeSync(file, `${row},${digestOf(row)}\n`)
    }
  } finally {
    writeSync(file, `end of file, rows: ${row}\n`)
    closeSync(file)
  }
}, { gracePeriod: "2 seconds" }) // Much longer than one row takes, for a busy machine.

/** Reads a file. For a FIFO without a writer, the system call waits forever, and nothing can stop it. */
export const read = Task.make(import.meta.url, "read", (path: string) => readFileSync(path, "utf8"))

/** The short task, on the same threads. */
export const digest = Task.make(import.meta.url, "digest", digestOf)
