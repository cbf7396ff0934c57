/** The RPC group of the RPC contender, for both sides. */
import * as Rpc from "effect/rpc/Rpc"
import * as RpcGroup from "effect/rpc/RpcGroup"
import * as Schema from "effect/Schema"
import * as Transferable from "effect/workers/Transferable"

/** Crosses by structured clone, unchanged. Any other schema would encode it like JSON. */
const asIs = Transferable.schema(Schema.Any, () => [])

export const Calls = RpcGroup.make(
  Rpc.make("add", { payload: { a: Schema.Finite, b: Schema.Finite }, success: Schema.Finite }),
  Rpc.make("echo", { payload: { value: asIs }, success: asIs }),
  Rpc.make("flip", { payload: { bytes: Transferable.Uint8Array }, success: Transferable.Uint8Array }),
  Rpc.make("burn", { payload: { rounds: Schema.Finite }, success: Schema.Finite }),
  Rpc.make("waves", { payload: { rounds: Schema.Finite }, success: Schema.Finite }),
  Rpc.make("nap", { payload: { millis: Schema.Finite }, success: Schema.Finite }),
  Rpc.make("rows", { payload: { count: Schema.Number }, success: asIs, stream: true }),
  Rpc.make("forever", { success: Schema.Void }),
  Rpc.make("tick", { payload: { value: asIs }, success: Schema.Finite }),
  Rpc.make("gate", { payload: { value: asIs }, success: Schema.Finite })
)
