/** Runs an effect as the program: handles signals, sets the exit code, and exits even if a thread is in native code. */
import * as Runtime from "effect/Runtime"
import * as exitGuard from "./exitGuard.ts"
import { forceShutdown } from "./forceShutdown.ts"

type Signal = "SIGINT" | "SIGTERM"

/** The exit codes that a shell reports for a process that the signal has ended. */
const exitCodes: Record<Signal, number> = { SIGINT: 130, SIGTERM: 143 }

/**
 * The same signal again within this time is not counted: for one Ctrl-C, a program under
 * `npm run` gets one SIGINT from the terminal and one from npm. Arbitrary: above the delay
 * between those two, below that of two keystrokes.
 */
const repeatMillis = 100

/** How long an exit waits for the output to be read. Arbitrary: a live reader takes milliseconds. */
const flushMillis = 2000

export const main = Runtime.makeRunMain(({ fiber, teardown }) => {
  exitGuard.arm()
  let count = 0
  let last: Signal | undefined
  let lastAt = 0
  const onSignal = (signal: Signal): void => {
    const now = performance.now()
    if (signal === last && now - lastAt < repeatMillis) return
    last = signal
    lastAt = now
    count++
    if (count === 1) fiber.interruptUnsafe()
    else if (count === 2) forceShutdown()
    else process.exit(exitCodes[signal])
  }
  process.on("SIGINT", onSignal)
  process.on("SIGTERM", onSignal)
  fiber.addObserver((exit) => {
    process.off("SIGINT", onSignal)
    process.off("SIGTERM", onSignal)
    teardown(exit, (code) => {
      // Otherwise the process ends when its event loop is empty: other work of the program continues.
      if (count > 0 || code !== 0) afterFlush(() => process.exit(code))
    })
  })
})

/** Calls back when stdout and stderr are written out, or the time is up; at once if there is nothing to write. */
const afterFlush = (callback: () => void): void => {
  const pending = [process.stdout, process.stderr].filter(({ destroyed, writableEnded, writableLength }) =>
    writableLength > 0 && !destroyed && !writableEnded
  )
  if (pending.length === 0) return callback()
  // The fiber has ended by now. @effect-diagnostics-next-line globalTimers:off
  setTimeout(callback, flushMillis)
  let left = pending.length
  for (const stream of pending) {
    const done = (): void => {
      left--
      if (left === 0) callback()
    }
    // Writes end in order, so this one ends last. An error of the stream also calls `done`.
    stream.on("error", ignore)
    stream.write("", done)
  }
}

const ignore = (): void => {}
