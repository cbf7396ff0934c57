/**
 * How a running body is asked to stop, and leaves.
 *
 * Pool threads load this file: it imports nothing heavy.
 */
import { isStopRequested } from "../wire/controlBlock.ts"
import { threadContext } from "./context.ts"

export const stopRequested = (): boolean => {
  const { control, current, refresh } = threadContext
  if (control === undefined || current === 0) return false
  refresh?.()
  return isStopRequested(control, current)
}

/** Thrown by `checkpoint`: leaves the body through its `finally` blocks. */
export class StopRequested extends Error {
  readonly _tag = "StopRequested"
  override readonly name = "StopRequested"
  constructor() {
    super("The task was asked to stop: do not catch this error, or throw it again")
  }
}

export const checkpoint = (): void => {
  if (stopRequested()) throw new StopRequested()
}
