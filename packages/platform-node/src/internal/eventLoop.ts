/** What every thread host of Node has: the clock, timers, and the life of the process. */
import type { ThreadHost } from "effect-blocking/ThreadHost"
import { sharedClock } from "./clock.ts"

/** The longest delay that `setTimeout` takes. */
const maxTimerMillis = 2 ** 31 - 1

export const eventLoop = (): Pick<ThreadHost, "now" | "schedule" | "nextTurn" | "keepAlive"> => {
  let heartbeat: NodeJS.Timeout | undefined
  return {
    now: sharedClock(),
    schedule: (delayMillis, callback) => {
      // Effect's own clock is not there: the scheduler drives this one. @effect-diagnostics-next-line globalTimers:off
      const timer = setTimeout(callback, Math.min(delayMillis, maxTimerMillis)).unref()
      return () => clearTimeout(timer)
    },
    nextTurn: (callback) => void setImmediate(callback),
    keepAlive: (active) => {
      // Cleared, not only without a reference: a pool that has closed leaves nothing behind.
      clearInterval(heartbeat)
      // @effect-diagnostics-next-line globalTimers:off
      heartbeat = active ? setInterval(() => {}, maxTimerMillis) : undefined
    }
  }
}
