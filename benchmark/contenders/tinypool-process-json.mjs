/** tinypool on processes, values as JSON: what its documentation gives for values that JSON knows. */
import * as tinypool from "./tinypool-process.mjs"

export const start = ({ threads }) => tinypool.start({ threads, serialization: "json" })

export const isJson = true
