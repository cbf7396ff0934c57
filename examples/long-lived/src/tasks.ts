/** The worker that lives as long as the program, and a short task. Pool threads load this module. */
import { Task } from "effect-blocking"
import { createHash } from "node:crypto"
import { appendFileSync, readdirSync, readFileSync, renameSync, rmSync } from "node:fs"
import { join } from "node:path"
import * as Progress from "./progress.ts"

export interface Invoice {
  readonly number: number
  readonly cents: number
}

/** How long it sleeps when there is nothing to do, and so how late it may hear of a stop. */
const sleepMillis = 50

/** Books the files of a folder until it is asked to stop. Its last words are how many it has booked. */
export const keepLedger = Task.make(import.meta.url, "keepLedger", (folder: string, progress: Int32Array) => {
  const names = (suffix: string) => readdirSync(folder).filter((name) => name.endsWith(suffix)).sort()
  // What an earlier run has taken and not booked is what it crashed on. It must not crash this one, too.
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
