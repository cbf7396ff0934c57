/** Why a thread cannot be started, however often that is tried: a missing file, flags that Node refuses. */
export class CannotStart extends Error {
  readonly _tag = "CannotStart"

  constructor(message: string, options?: ErrorOptions) {
    super(message, options)
    // Its stack would show this library and no line of the program.
    this.stack = `Error: ${message}`
  }
}

/** Whether a further attempt could only fail the same way. By its tag: the host may be of another copy of this package. */
export const isFinal = (cause: unknown): boolean =>
  typeof cause === "object" && cause !== null && "_tag" in cause && cause._tag === "CannotStart"

interface ErrorOptions {
  readonly cause?: unknown
}
