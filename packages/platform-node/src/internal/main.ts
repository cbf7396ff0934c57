/** Runs an effect as the program: its signals, its exit code, and an exit that no thread can block. */
import * as Runtime from "effect/Runtime"
import * as exitGuard from "./exitGuard.ts"
import { forceShutdown } from "./forceShutdown.ts"

type Signal = "SIGINT" | "SIGTERM"

/** The code by which a shell reports a process that the signal has ended. */
const exitCodes: Record<Signal, number> = { SIGINT: 130, SIGTERM: 143 }

/**
 * Within this number of milliseconds, the same signal counts once: for one Ctrl-C, a
 * program under `npm run` gets one SIGINT from the terminal and one from npm.
 * Arbitrary: above the delay between those two, below that of two keystrokes.
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
      // Otherwise the program's other work continues, until the event loop is empty.
      if (count > 0 || code !== 0) afterFlush(() => process.exit(code))
    })
  })
})

/** Calls back when stdout and stderr are written out, or after `flushMillis`; at once if there is nothing to write. */
const afterFlush = (callback: () => void): void => {
  const pending = [process.stdout, process.stderr].filter(({ destroyed, writableEnded, writableLength }) =>
    writableLength > 0 && !destroyed && !writableEnded
  )
  if (pending.length === 0) return callback()
  // Runs after the last fiber. @effect-diagnostics-next-line globalTimers:off
  setTimeout(callback, flushMillis)
  let left = pending.length
  for (const stream of pending) {
    const done = (): void => {
      left--
      if (left === 0) callback()
    }
    // Writes complete in order, so this one completes last. An error of the stream also arrives here.
    stream.on("error", ignore)
    stream.write("", done)
  }
}

const ignore = (): void => {}
