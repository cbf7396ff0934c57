/** The processor time of a thread, and its waits for a processor: it blocks nothing while it waits. */
import { readFileSync, readlinkSync } from "node:fs"

export interface Processor {
  /** How long the thread has run; while it runs, up to a tick of the kernel more. */
  readonly ranMillis: number
  /** How long it was ready to run and had no processor. */
  readonly waitedMillis: number
}

/** The longest tick of Linux: the kernel updates `ranMillis` of a running thread at least this often. */
const tickMillis = 10

const unknown: Processor = { ranMillis: 0, waitedMillis: 0 }

/** The folder in which Linux shows the calling thread; `undefined` elsewhere. */
export const threadFolder = (): string | undefined => {
  try {
    // `/proc/thread-self` depends on the reader. The path behind it does not.
    return `/proc/${readlinkSync("/proc/thread-self")}`
  } catch {
    return undefined
  }
}

/** Reads the times of that thread, with the waits that are over. Both are 0 where they are not known. */
export const processorOf = (folder: string | undefined): () => Processor => {
  let isKnown = folder !== undefined
  return () => {
    if (!isKnown) return unknown
    try {
      // Both in nanoseconds; the number of time slices follows.
      const [ran = 0, waited = 0] = readFileSync(`${folder}/schedstat`, "utf8").split(" ", 2).map(Number)
      // A kernel that does not count says 0.
      return ran > 0 ? { ranMillis: ran / 1e6, waitedMillis: waited / 1e6 } : unknown
    } catch {
      isKnown = false
      return unknown
    }
  }
}

/**
 * Reads the times of another thread, with the wait in which it is now. The kernel adds a wait only when it is over;
 * until then the thread is ready, and neither time changes. `now`: monotonic milliseconds.
 */
export const processorNowOf = (folder: string | undefined, now: () => number): () => Processor => {
  const read = processorOf(folder)
  let last = unknown
  let unchangedSince = now()
  return () => {
    const current = read()
    const isUnchanged = current.ranMillis === last.ranMillis && current.waitedMillis === last.waitedMillis
    last = current
    const unchangedMillis = now() - unchangedSince
    if (current === unknown || (isUnchanged && unchangedMillis <= tickMillis)) return current
    if (isUnchanged && isReady(folder)) return { ...current, waitedMillis: current.waitedMillis + unchangedMillis }
    unchangedSince = now()
    return current
  }
}

/** Whether a thread runs or waits for a processor. */
const isReady = (folder: string | undefined): boolean => {
  try {
    // The state follows the name of the thread, which is in parentheses and can contain any character.
    return /.*\) R/s.test(readFileSync(`${folder}/stat`, "utf8"))
  } catch {
    return false
  }
}
