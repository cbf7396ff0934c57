/**
 * workerpool on processes.
 *
 * Settings: as in workerpool.mjs. Advanced serialization (an option of the fork), because JSON does not preserve
 * bytes; workerpool-process-json.mjs has the default.
 */
import * as workerpool from "./workerpool.mjs"

export const start = ({ serialization = "advanced", threads }) =>
  workerpool.start({ threads, workerType: "process", forkOpts: { serialization } })
