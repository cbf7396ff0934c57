/** Effect RPC whose threads stream without waiting for acknowledgements: as fast as they can, whoever listens. */
import { start as startRpc } from "./effect-rpc.mjs"

const entry = new URL("./effect-rpc.worker.mjs?unacknowledged", import.meta.url)

export const start = (options) => startRpc({ ...options, entry })
