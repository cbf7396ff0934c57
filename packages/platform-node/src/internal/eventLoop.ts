/** The part that all thread hosts of Node share: the clock, timers, and keeping the process alive. */
import type { ThreadHost } from "effect-blocking/ThreadHost"
import { AsyncLocalStorage } from "node:async_hooks"
import { sharedClock } from "./clock.ts"

/** The longest delay that `setTimeout` takes. */
const maxTimerMillis = 2 ** 31 - 1

/** The asynchronous context in which this module was loaded, outside of any request. */
const outside = AsyncLocalStorage.snapshot()

export const eventLoop = (): Pick<ThreadHost, "detached" | "now" | "schedule" | "nextTurn" | "keepAlive" | "close"> => {
  let heartbeat: NodeJS.Timeout | undefined
  return {
    detached: outside,
    now: sharedClock(),
    schedule: (delayMillis, callback) => {
      // No Effect clock is available here: the scheduler drives this timer. @effect-diagnostics-next-line globalTimers:off
      const timer = setTimeout(callback, Math.min(delayMillis, maxTimerMillis)).unref()
      return () => clearTimeout(timer)
    },
    nextTurn: (callback) => void setImmediate(callback),
    keepAlive: (active) => {
      // @effect-diagnostics-next-line globalTimers:off
      heartbeat ??= setInterval(() => {}, maxTimerMillis)
      if (active) heartbeat.ref()
      else heartbeat.unref()
    },
    close: () => clearInterval(heartbeat)
  }
}
