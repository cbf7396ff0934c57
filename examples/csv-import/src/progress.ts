/** The progress of the import, for the bar and the summary. The writer updates it every 10 000 rows. */
import { Effect, Schedule, Stdio, Terminal } from "effect"

export interface Progress {
  readonly fileBytes: number
  readBytes: number
  written: number
  /** Resident memory when the import began, and its peak since. */
  readonly memoryBefore: number
  memoryPeak: number
}

export const make = (fileBytes: number): Effect.Effect<Progress> =>
  Effect.sync(() => {
    const memory = process.memoryUsage.rss()
    return { fileBytes, readBytes: 0, written: 0, memoryBefore: memory, memoryPeak: memory }
  })

export const addRead = (progress: Progress, bytes: number): Effect.Effect<void> =>
  Effect.sync(() => {
    progress.readBytes += bytes
  })

export const setWritten = (progress: Progress, rows: number): Effect.Effect<void> =>
  Effect.sync(() => {
    progress.written = rows
    progress.memoryPeak = Math.max(progress.memoryPeak, process.memoryUsage.rss())
  })

export const megabytes = (bytes: number): string => `${Math.round(bytes / 1e6)} MB`

/** Chosen so that the line fits a terminal of 80 columns. */
const width = 24

const line = ({ fileBytes, memoryPeak, readBytes, written }: Progress): string => {
  const filled = Math.floor((width * readBytes) / Math.max(fileBytes, 1))
  const bar = "█".repeat(filled) + "░".repeat(width - filled)
  return `\r${bar} ${written} rows, ${megabytes(readBytes)} of ${megabytes(fileBytes)}, memory ${
    megabytes(memoryPeak)
  }\x1b[K`
}

/** Draws a bar until its scope closes, if stdout is a terminal. */
export const bar = Effect.fn("bar")(function*(progress: Progress) {
  const stdio = yield* Stdio.Stdio
  const terminal = yield* Terminal.Terminal
  if (!(yield* stdio.stdoutIsTerminal)) return
  yield* Effect.addFinalizer(() => Effect.orDie(terminal.display("\r\x1b[K")))
  yield* Effect.suspend(() => terminal.display(line(progress))).pipe(
    Effect.repeat(Schedule.spaced("100 millis")),
    Effect.forkScoped
  )
})
