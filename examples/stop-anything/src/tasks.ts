/** Four tasks that do not end, and one that does. Pool threads load this module. */
import { Task } from "effect-blocking"
import { createHash } from "node:crypto"
import { closeSync, openSync, readFileSync, writeSync } from "node:fs"

const digestOf = (n: number): string => createHash("sha256").update(`${n}`).digest("hex")

/** Words with spaces between them. Before a "!" each further letter doubles the ways it tries: 40 letters take hours. */
export const validate = Task.make(import.meta.url, "validate", (text: string) => /^(\w+\s?)*$/.test(text))

/** Adds tenths until the sum is `goal`. It never is: ten of them make 0.9999999999999999. */
export const sum = Task.make(import.meta.url, "sum", (goal: number) => {
  let steps = 0
  for (let total = 0; total !== goal; total += 0.1) steps++
  return steps
})

/** Exports more rows than anyone waits for, but looks for the stop at each, and closes its file whatever happens. */
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
}, { gracePeriod: "2 seconds" }) // Far more than from one row to the next, for a machine that is busy.

/** Reads a file. If that is a FIFO into which nobody writes, the system call waits for ever, and hears nothing. */
export const read = Task.make(import.meta.url, "read", (path: string) => readFileSync(path, "utf8"))

/** The innocent one: short, and on the same threads. */
export const digest = Task.make(import.meta.url, "digest", digestOf)
