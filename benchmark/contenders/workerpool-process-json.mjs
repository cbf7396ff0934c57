/** workerpool on processes, with values as JSON (its default). */
import * as workerpool from "./workerpool-process.mjs"

export const start = ({ threads }) => workerpool.start({ threads, serialization: "json" })

export const isJson = true
