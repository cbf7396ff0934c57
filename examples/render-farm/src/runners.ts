/** Starts and ends runners, as processes of this machine. */
import { Effect, type Scope } from "effect"
import { type ChildProcess, spawn } from "node:child_process"
import { fileURLToPath } from "node:url"

const program = fileURLToPath(new URL("runner.ts", import.meta.url))

const end = (runner: ChildProcess, signal: NodeJS.Signals): Effect.Effect<void> =>
  Effect.callback<void>((resume) => {
    if (runner.exitCode !== null || runner.signalCode !== null) return resume(Effect.void)
    runner.once("exit", () => resume(Effect.void))
    runner.kill(signal)
  })

/** Starts a runner, which ends with the scope. */
export const start = (database: string): Effect.Effect<ChildProcess, never, Scope.Scope> =>
  Effect.acquireRelease(
    Effect.sync(() => spawn(process.execPath, [...process.execArgv, program, database], { stdio: "inherit" })),
    (runner) => end(runner, "SIGKILL")
  )

/** Kills it, in the middle of a band. */
export const kill = (runner: ChildProcess): Effect.Effect<void> => end(runner, "SIGKILL")

/** Shuts it down: it ends its band, or gives it back. */
export const shutDown = (runner: ChildProcess): Effect.Effect<void> => end(runner, "SIGTERM")
