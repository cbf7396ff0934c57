/** poolifier with its tasks queue: one task per thread at a time, and waiting tasks can be aborted and stolen. */
import * as poolifier from "./poolifier.mjs"

export const start = (options) => poolifier.start({ ...options, enableTasksQueue: true })
