/** Pools of processes for tests. */

export const isolation = "process"
export const quick = { isolation, maxThreads: 1, gracePeriod: "1 millis" } as const
export const patient = { isolation, maxThreads: 1, gracePeriod: "1 minute" } as const

/** Each test starts processes: all at once, they would slow down other tests. */
export const oneByOne = { concurrent: false }

export { gone } from "./program.ts"
