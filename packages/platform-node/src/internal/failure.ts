/**
 * Errors of a start. A stack would show this library and no line of the program.
 *
 * Pool processes load this file.
 */

/** Another attempt may succeed. */
export const failed = (message: string): Error => {
  const error = new Error(message)
  error.stack = `Error: ${message}`
  return error
}

/** Another attempt could only fail the same way: a `ThreadHost.CannotStart`, known by its tag, without what that module loads. */
export const cannotStart = (message: string): Error => Object.assign(failed(message), { _tag: "CannotStart" })
