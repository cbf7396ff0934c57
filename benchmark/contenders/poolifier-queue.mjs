/** poolifier with its tasks queue: one task per thread at a time, waiting ones can be aborted and stolen. */
import * as poolifier from "./poolifier.mjs"

export const start = (options) => poolifier.start({ ...options, enableTasksQueue: true })
