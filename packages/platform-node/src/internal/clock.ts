/**
 * Monotonic milliseconds on a clock that all threads of a process share.
 * `performance.now()` is cheap but counts from the start of its own thread;
 * `process.hrtime` has one origin and is asked for it once.
 */
export const sharedClock = (): () => number => {
  const origin = Number(process.hrtime.bigint()) / 1e6 - performance.now()
  return () => origin + performance.now()
}
