import { Schema } from "effect"
import { Rpc, RpcGroup } from "effect/rpc"

export const group = RpcGroup.make(Rpc.make("compute", { payload: { millis: Schema.Finite }, success: Schema.Finite }))
