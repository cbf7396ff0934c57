/** The processor time of a thread, and its waits for a processor: it blocks nothing while it waits. */
import { closeSync, openSync, readFileSync, readlinkSync, readSync } from "node:fs"

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

export interface ProcessorReader {
  /** Both times are 0 where they are not known. */
  readonly read: () => Processor
  /** Closes the kernel's file. Afterwards the times are not known. */
  readonly close: () => void
}

/** Three numbers of 64 bits, two spaces and the end of the line. */
const maxLength = 64

/** Reads the times of that thread, with the waits that are over. */
export const openProcessor = (folder: string | undefined): ProcessorReader => {
  // It stays open. Measured: to open and close it each time costs three times as much as to read it.
  let file = folder === undefined ? undefined : tryOpen(`${folder}/schedstat`)
  const buffer = Buffer.alloc(maxLength)
  const close = (): void => {
    const opened = file
    file = undefined
    try {
      if (opened !== undefined) closeSync(opened)
    } catch {
      // The program has closed it: as programs do that close all files.
    }
  }
  const read = (): Processor => {
    if (file === undefined) return unknown
    try {
      // Both in nanoseconds; the number of time slices follows.
      const line = buffer.toString("latin1", 0, readSync(file, buffer, 0, maxLength, 0))
      const [ran = 0, waited = 0] = line.split(" ", 2).map(Number)
      // A kernel that does not count says 0.
      return ran > 0 ? { ranMillis: ran / 1e6, waitedMillis: waited / 1e6 } : unknown
    } catch {
      // The thread has ended, or the program has closed the file, and its number may be that of another one soon.
      file = undefined
      return unknown
    }
  }
  return { read, close }
}

const tryOpen = (file: string): number | undefined => {
  try {
    return openSync(file, "r")
  } catch {
    return undefined
  }
}

/**
 * Reads the times of another thread, with the wait in which it is now. The kernel adds a wait only when it is over;
 * until then the thread is ready, and neither time changes. `now`: monotonic milliseconds.
 */
export const openProcessorNow = (folder: string | undefined, now: () => number): ProcessorReader => {
  const { close, read } = openProcessor(folder)
  let last = unknown
  let unchangedSince = now()
  const readNow = (): Processor => {
    const current = read()
    const isUnchanged = current.ranMillis === last.ranMillis && current.waitedMillis === last.waitedMillis
    last = current
    const unchangedMillis = now() - unchangedSince
    if (current === unknown || (isUnchanged && unchangedMillis <= tickMillis)) return current
    if (isUnchanged && isReady(folder)) return { ...current, waitedMillis: current.waitedMillis + unchangedMillis }
    unchangedSince = now()
    return current
  }
  return { read: readNow, close }
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
