/** tinypool with up to 64 tasks on each thread at once; see piscina-pipelined.mjs. */
import * as tinypool from "./tinypool.mjs"

export const start = (options) => tinypool.start({ ...options, tasksPerThread: 64 })
