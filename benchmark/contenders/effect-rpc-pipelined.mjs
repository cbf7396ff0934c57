/** Effect's RpcClient with up to 500 calls on each worker at once; see piscina-pipelined.mjs. */
import * as rpc from "./effect-rpc.mjs"

export const start = (options) => rpc.start({ ...options, concurrency: 500 })
