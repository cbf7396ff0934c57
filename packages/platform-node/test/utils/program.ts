/**
 * A whole program in a separate process, with a hard limit: a hang is a failure. Its output is
 * captured, native stacks too, and shown if its test fails.
 */
import { Effect, Exit, type Scope } from "effect"
import { type ChildProcess, spawn } from "node:child_process"
import { fileURLToPath } from "node:url"
import { poll } from "../fixtures/native.ts"

export interface Ended {
  readonly code: number | null
  readonly signal: string | null
  readonly stdout: string
  readonly stderr: string
}

export interface Options {
  /** Flags of Node. */
  readonly args?: ReadonlyArray<string>
  /** Arguments of the program. */
  readonly argv?: ReadonlyArray<string>
  /** Added to the variables of the test. */
  readonly env?: Readonly<Record<string, string>>
  readonly onStart?: (child: ChildProcess) => void
  readonly onStdout?: (text: string, child: ChildProcess) => void
}

export const run = (
  /** The name of a fixture, or the url of another file. */
  fixture: string,
  options?: Options
): Effect.Effect<Ended, never, Scope.Scope> =>
  Effect.tap(
    start(fixture, options),
    ({ code, signal, stderr, stdout }) =>
      Effect.addFinalizer((exit) =>
        Effect.sync(() => {
          if (Exit.isSuccess(exit)) return
          // Not by `console`: with several tests at once, Vitest files its lines under the one that began last.
          process.stderr.write(`${fixture} ended with ${signal ?? code}\n${stdout}${stderr}\n`)
        })
      )
  )

const start = (fixture: string, options: Options | undefined): Effect.Effect<Ended> =>
  Effect.callback((resume) => {
    const path = fileURLToPath(new URL(fixture, new URL("../fixtures/", import.meta.url)))
    const child = spawn(process.execPath, [...(options?.args ?? []), path, ...(options?.argv ?? [])], {
      env: { ...process.env, NO_COLOR: "1", FORCE_COLOR: "0", ...options?.env },
      timeout: 30_000,
      killSignal: "SIGKILL"
    })
    options?.onStart?.(child)
    let stdout = ""
    let stderr = ""
    child.stdout.setEncoding("utf8").on("data", (text: string) => {
      stdout += text
      options?.onStdout?.(text, child)
    })
    child.stderr.setEncoding("utf8").on("data", (text: string) => {
      stderr += text
    })
    child.on("close", (code, signal) => resume(Effect.succeed({ code, signal, stdout, stderr })))
    return Effect.sync(() => child.kill("SIGKILL"))
  })

/** Waits until the process does not exist. */
export const gone = (pid: number): Effect.Effect<void> =>
  Effect.asVoid(Effect.repeat(
    Effect.sync(() => {
      try {
        return process.kill(pid, 0)
      } catch {
        return false
      }
    }),
    { until: (isThere) => !isThere, schedule: poll }
  ))
