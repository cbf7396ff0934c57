/** A start that fails on every attempt: a missing file, flags that Node refuses. */
export class CannotStart extends Error {
  readonly _tag = "CannotStart"

  constructor(message: string, options?: ErrorOptions) {
    super(message, options)
    // Its stack would show this library and no line of the program.
    this.stack = `Error: ${message}`
  }
}

/** Whether every further attempt would fail, too. Checked by tag: the host may come from another copy of this package. */
export const isFinal = (cause: unknown): boolean =>
  typeof cause === "object" && cause !== null && "_tag" in cause && cause._tag === "CannotStart"

interface ErrorOptions {
  readonly cause?: unknown
}
