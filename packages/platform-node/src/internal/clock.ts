/**
 * Monotonic milliseconds on a clock that all threads of a process share.
 * `performance.now()` is cheap but counts from the start of its own thread. Its offset
 * to `process.hrtime`, which has one origin for all threads, is measured once.
 */
export const sharedClock = (): () => number => {
  // Taken before a body, or a test's fake timers, can replace it.
  const now = performance.now.bind(performance)
  const origin = Number(process.hrtime.bigint()) / 1e6 - now()
  return () => origin + now()
}
