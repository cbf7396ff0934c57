/**
 * The data between a host and its threads, in addition to the messages of the runner.
 *
 * Pool threads and processes load this file.
 */
import type { MessagePort } from "node:worker_threads"

/** In the `workerData` of a pool thread, under `ThreadRunner.poolThreadMark`. */
export interface PoolThreadData {
  /** Ours alone: messages that a body posts on `parentPort` do not come here. */
  readonly port: MessagePort
  readonly start: unknown
}

/** The last message of a thread whose runner is broken: the cause of its exit. */
export interface Broken {
  readonly broken: Error
  /** Whether another attempt would fail in the same way, as with packages of two versions. */
  readonly isFinal: boolean
}

/** The cause of the exit, from that message. */
export const causeOf = ({ broken, isFinal }: Broken): Error =>
  isFinal ? Object.assign(broken, { _tag: "CannotStart" }) : broken

/** The message for an error of the runner. Carries only its message and stack: user code may have added to the error, or broken it. */
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

/** The first byte of such a message from a process, as V8 encodes it. Messages of the runner begin with other bytes. */
export const brokenMark = 0xff

/** A message of the runner is an array. */
export const isBroken = (message: unknown): message is Broken =>
  typeof message === "object" && message !== null && "broken" in message

/**
 * Removes the flag that selects the thread's entry point of `effect-blocking`. A process that a
 * task starts with `fork` inherits the flags, but is not a pool thread.
 */
export const dropCondition = (): void => {
  process.execArgv = process.execArgv.filter((flag) => flag !== "--conditions=effect-blocking-thread")
}
