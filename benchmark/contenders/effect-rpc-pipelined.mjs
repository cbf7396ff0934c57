/** Effect's RpcClient with up to 500 concurrent calls on each worker; see piscina-pipelined.mjs. */
import * as rpc from "./effect-rpc.mjs"

export const start = (options) => rpc.start({ ...options, concurrency: 500 })
