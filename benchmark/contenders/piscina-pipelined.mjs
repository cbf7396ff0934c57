/**
 * piscina with up to 64 concurrent tasks on each thread: twice as fast for tiny tasks, but a
 * long task delays the 63 others.
 */
import * as piscina from "./piscina.mjs"

export const start = (options) => piscina.start({ ...options, tasksPerThread: 64 })
