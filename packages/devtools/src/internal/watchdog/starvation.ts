/** How long the program's thread has waited for a processor: time in which it blocks nobody, and is blocked. */
import { readFileSync } from "node:fs"

/** Linux tells it of each thread; elsewhere it is not known, and 0. The first thread of a process has the number of the process. */
export const starvedMillis = (pid: number): () => number => {
  let path: string | undefined = `/proc/self/task/${pid}/schedstat`
  return () => {
    if (path === undefined) return 0
    try {
      // Nanoseconds on a processor, nanoseconds of waiting for one, turns.
      const waited = Number(readFileSync(path, "utf8").split(" ")[1])
      return Number.isFinite(waited) ? waited / 1e6 : 0
    } catch {
      path = undefined
      return 0
    }
  }
}
