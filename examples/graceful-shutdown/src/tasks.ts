/** The work of the server. Pool threads load this module. */
import { Task } from "effect-blocking"
import { scryptSync } from "node:crypto"
import { appendFileSync } from "node:fs"

/** Renders a report. Each page takes some 10 ms of a core. It has no side effects, so it may stop between two pages. */
export const render = Task.make(import.meta.url, "render", (pages: number) => {
  let digest = ""
  for (let page = 0; page < pages; page++) {
    Task.checkpoint()
    digest = scryptSync(`${page}`, digest, 16, { N: 2 ** 12 }).toString("hex")
  }
  return { pages, digest }
})

/** Records a delivery. It runs even if its pool shuts down while it is queued. */
export const audit = Task.make(import.meta.url, "audit", (file: string, line: string) => appendFileSync(file, line), {
  mandatory: true
})
