/** tinypool on processes, with values as JSON, as in its documentation for values that JSON supports. */
import * as tinypool from "./tinypool-process.mjs"

export const start = ({ threads }) => tinypool.start({ threads, serialization: "json" })

export const isJson = true
