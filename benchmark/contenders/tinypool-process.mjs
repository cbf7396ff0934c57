/**
 * tinypool on processes: its `child_process` runtime.
 *
 * Settings: as in tinypool.mjs. Advanced serialization, without which bytes do not arrive as bytes;
 * tinypool-process-json.mjs has the other.
 */
import * as tinypool from "./tinypool.mjs"

export const start = ({ serialization = "advanced", threads }) =>
  tinypool.start({ threads, runtime: "child_process", serialization })
