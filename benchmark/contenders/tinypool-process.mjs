/**
 * tinypool on processes: its `child_process` runtime.
 *
 * Settings: as in tinypool.mjs. Advanced serialization, because JSON does not preserve bytes;
 * tinypool-process-json.mjs uses JSON.
 */
import * as tinypool from "./tinypool.mjs"

export const start = ({ serialization = "advanced", threads }) =>
  tinypool.start({ threads, runtime: "child_process", serialization })
