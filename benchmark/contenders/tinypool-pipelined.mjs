/** tinypool with up to 64 concurrent tasks on each thread; see piscina-pipelined.mjs. */
import * as tinypool from "./tinypool.mjs"

export const start = (options) => tinypool.start({ ...options, tasksPerThread: 64 })
