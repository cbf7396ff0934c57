/** The worker that runs as long as the program, and a short task. Pool threads load this module. */
import { Task } from "effect-blocking"
import { createHash } from "node:crypto"
import { appendFileSync, readdirSync, readFileSync, renameSync, rmSync } from "node:fs"
import { join } from "node:path"
import * as Progress from "./progress.ts"

export interface Invoice {
  readonly number: number
  readonly cents: number
}

/** How long the worker sleeps without work, and so how late it may notice a stop. */
const sleepMillis = 50

/** Books the files of a folder until it is asked to stop. Returns how many files it booked. */
export const keepLedger = Task.make(import.meta.url, "keepLedger", (folder: string, progress: Int32Array) => {
  const names = (suffix: string) => readdirSync(folder).filter((name) => name.endsWith(suffix)).sort()
  // A file that was taken but not booked crashed an earlier run. It is put aside, so that it does not crash this run.
  for (const name of names(".taken")) {
    renameSync(join(folder, name), join(folder, `${name}.rejected`))
    Progress.count(progress, Progress.rejected)
  }
  let files = 0
  while (!Task.stopRequested()) {
    for (const name of names(".json")) {
      if (Task.stopRequested()) break
      const taken = join(folder, `${name}.taken`)
      renameSync(join(folder, name), taken)
      const invoice: Invoice = JSON.parse(readFileSync(taken, "utf8"))
      appendFileSync(join(folder, "ledger"), `${invoice.number} ${invoice.cents}\n`)
      rmSync(taken)
      files++
      Progress.count(progress, Progress.booked)
    }
    Atomics.wait(progress, Progress.sleeping, 0, sleepMillis)
  }
  return files
}, { gracePeriod: "5 seconds" })

/** A short task, for the default pool. */
export const sign = Task.make(
  import.meta.url,
  "sign",
  (text: string) => createHash("sha256").update(text).digest("hex")
)
