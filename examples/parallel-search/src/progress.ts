/** A progress bar, if stdout is a terminal. */
import { Effect, Schedule, Stdio, Terminal } from "effect"

const width = 32

export interface Progress {
  done: number
  readonly all: number
}

const line = ({ all, done }: Progress, millis: number): string => {
  const filled = Math.floor(width * done / Math.max(all, 1))
  const perSecond = Math.round(done / Math.max(millis, 1) * 1000)
  return `\r${"█".repeat(filled)}${"░".repeat(width - filled)} ${done} of ${all} files, ${perSecond} a second\x1b[K`
}

/** Draws the bar until its scope closes. */
export const bar = Effect.fn("bar")(function*(progress: Progress) {
  const stdio = yield* Stdio.Stdio
  const terminal = yield* Terminal.Terminal
  if (!(yield* stdio.stdoutIsTerminal)) return
  const begin = performance.now()
  yield* Effect.addFinalizer(() => Effect.orDie(terminal.display("\r\x1b[K")))
  yield* Effect.suspend(() => terminal.display(line(progress, performance.now() - begin))).pipe(
    Effect.repeat(Schedule.spaced("100 millis")),
    Effect.forkScoped
  )
})
