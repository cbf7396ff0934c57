/** The progress of the pipeline, for the bar and for the summary, also after an interruption. */
import { Effect, Ref, Schedule, Stdio, Terminal } from "effect"

export interface Progress {
  readonly files: number
  readonly built: number
  readonly bad: number
  readonly sourceBytes: number
  readonly compressedBytes: number
  /** Files between the start of their read and the end of their write, now and at the peak. */
  readonly inFlight: number
  readonly peak: number
}

export const make = Ref.make<Progress>({
  files: 0,
  built: 0,
  bad: 0,
  sourceBytes: 0,
  compressedBytes: 0,
  inFlight: 0,
  peak: 0
})

/** Counts a file as in flight until its effect ends. */
export const track = (progress: Ref.Ref<Progress>) => <A, E, R>(file: Effect.Effect<A, E, R>) =>
  Effect.acquireUseRelease(
    Ref.update(progress, (p) => ({ ...p, inFlight: p.inFlight + 1, peak: Math.max(p.peak, p.inFlight + 1) })),
    () => file,
    () => Ref.update(progress, (p) => ({ ...p, inFlight: p.inFlight - 1 }))
  )

export const addBuilt = (file: Pick<Progress, "sourceBytes" | "compressedBytes">) => (p: Progress): Progress => ({
  ...p,
  built: p.built + 1,
  sourceBytes: p.sourceBytes + file.sourceBytes,
  compressedBytes: p.compressedBytes + file.compressedBytes
})

export const addBad = (p: Progress): Progress => ({ ...p, bad: p.bad + 1 })

const megabytes = (bytes: number): string => `${(bytes / 1e6).toFixed(1)} MB`

export const summary = ({ bad, built, compressedBytes, files, peak, sourceBytes }: Progress): string =>
  [
    `built      ${built} of ${files} files: ${megabytes(sourceBytes)}, compressed ${megabytes(compressedBytes)}`,
    `in flight  at most ${peak} files`,
    `refused    ${bad} files`
  ].join("\n")

const width = 40

const line = ({ bad, built, files, inFlight }: Progress): string => {
  const filled = Math.floor(width * (built + bad) / Math.max(files, 1))
  return `\r${"█".repeat(filled)}${"░".repeat(width - filled)} ${
    built + bad
  } of ${files} files, ${inFlight} in flight\x1b[K`
}

/** Draws a bar until its scope closes, if stdout is a terminal. */
export const bar = Effect.fn("bar")(function*(progress: Ref.Ref<Progress>) {
  const stdio = yield* Stdio.Stdio
  const terminal = yield* Terminal.Terminal
  if (!(yield* stdio.stdoutIsTerminal)) return
  yield* Effect.addFinalizer(() => Effect.orDie(terminal.display("\r\x1b[K")))
  yield* Ref.get(progress).pipe(
    Effect.flatMap((p) => terminal.display(line(p))),
    Effect.repeat(Schedule.spaced("100 millis")),
    Effect.forkScoped
  )
})
