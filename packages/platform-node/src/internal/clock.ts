/**
 * Monotonic milliseconds, by a clock that all threads of a process share.
 * `performance.now()` is cheap but counts from the start of its own thread;
 * `process.hrtime` has one origin, and is read once.
 */
export const sharedClock = (): () => number => {
  // Taken before a body, or fake timers of a test, can replace it.
  const now = performance.now.bind(performance)
  const origin = Number(process.hrtime.bigint()) / 1e6 - now()
  return () => origin + now()
}
