/**
 * Data between a host and its threads, in addition to the messages of the runner.
 *
 * Pool threads and processes load this file.
 */
import type { MessagePort } from "node:worker_threads"

/** Stored in the `workerData` of a pool thread, under `ThreadRunner.poolThreadMark`. */
export interface PoolThreadData {
  /** A dedicated port: messages that a body posts on `parentPort` are ignored. */
  readonly port: MessagePort
  readonly start: unknown
}

/** The last message of a thread whose runner is broken: the cause of its exit. */
export interface Broken {
  readonly broken: Error
  /** Every further attempt would fail, too, as with packages of two versions. */
  readonly isFinal: boolean
}

/** The error for the host. */
export const causeOf = ({ broken, isFinal }: Broken): Error =>
  isFinal ? Object.assign(broken, { _tag: "CannotStart" }) : broken

/** Encodes an error of the runner; parts that the user's code has added or broken are left out. */
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

/** The first byte of such a message from a process, in V8's encoding. Messages of the runner begin with other bytes. */
export const brokenMark = 0xff

/** A message of the runner is an array. */
export const isBroken = (message: unknown): message is Broken =>
  typeof message === "object" && message !== null && "broken" in message

/**
 * Removes the flag by which a thread finds the entry of `effect-blocking` for
 * threads: a process that a task starts by `fork` inherits the flags, and is no pool thread.
 */
export const dropCondition = (): void => {
  process.execArgv = process.execArgv.filter((flag) => flag !== "--conditions=effect-blocking-thread")
}
