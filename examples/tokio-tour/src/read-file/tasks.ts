/** Pool threads load this module. */
import { Task } from "effect-blocking"
import { readFileSync } from "node:fs"
import { threadId } from "node:worker_threads"

/** The text of a file, and the thread that has read it. */
export const readText = Task.make(import.meta.url, "readText", (path: string) => ({
  text: readFileSync(path, "utf8"),
  threadId
}))
