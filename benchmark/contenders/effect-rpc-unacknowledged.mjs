/** Effect RPC without acknowledgements: its threads stream as fast as they can, without back-pressure. */
import { start as startRpc } from "./effect-rpc.mjs"

const entry = new URL("./effect-rpc.worker.mjs?unacknowledged", import.meta.url)

export const start = (options) => startRpc({ ...options, entry })
