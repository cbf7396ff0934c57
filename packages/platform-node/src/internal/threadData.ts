/**
 * What goes between a host and its threads besides the messages of the runner.
 *
 * Pool threads and processes load this file.
 */
import type { MessagePort } from "node:worker_threads"

/** In the `workerData` of a pool thread, under `ThreadRunner.poolThreadMark`. */
export interface PoolThreadData {
  /** Only ours: what a body posts on `parentPort` is nobody's. */
  readonly port: MessagePort
  readonly start: unknown
}

/** The last message of a thread whose runner is broken: the cause of its exit. */
export interface Broken {
  readonly broken: Error
  /** Another attempt could only fail the same way, as with packages of two versions. */
  readonly isFinal: boolean
}

/** What the host makes of it. */
export const causeOf = ({ broken, isFinal }: Broken): Error =>
  isFinal ? Object.assign(broken, { _tag: "CannotStart" }) : broken

/** An error of the runner as it can cross: what the user's code has added to it, or broken, stays behind. */
export const brokenBy = (error: unknown): Broken => {
  try {
    const { message, stack } = error as Error
    const broken = new Error(`The runner of the thread failed: ${message}`)
    if (typeof stack === "string") broken.stack = stack
    return { broken, isFinal: (error as { readonly _tag?: unknown })._tag === "CannotStart" }
  } catch {
    return { broken: new Error("The runner of the thread failed"), isFinal: false }
  }
}

/** The first byte of such a message from a process, as V8 encodes it. Those of the runner begin with others. */
export const brokenMark = 0xff

/** A message of the runner is an array. */
export const isBroken = (message: unknown): message is Broken =>
  typeof message === "object" && message !== null && "broken" in message

/**
 * Takes the flag back by which a thread finds the entry of `effect-blocking` that is made for
 * it: what a task starts by `fork` takes over the flags, and is no pool thread.
 */
export const dropCondition = (): void => {
  process.execArgv = process.execArgv.filter((flag) => flag !== "--conditions=effect-blocking-thread")
}
