import { NodeSocketServer } from "@effect/platform-node"
import { Effect, Layer, Logger } from "effect"
import { RpcSerialization, RpcServer } from "effect/rpc"
import * as bodies from "./bodies.mjs"
import { group } from "./effect-rpc.group.mjs"

const { index, ports } = JSON.parse(process.argv[2])

const server = RpcServer.layer(group, { concurrency: "unbounded", disableTracing: true }).pipe(
  Layer.provide(group.toLayer({ compute: ({ millis }) => Effect.sync(() => bodies.compute(millis)) })),
  Layer.provide(RpcServer.layerProtocolSocketServer),
  Layer.provide(NodeSocketServer.layer({ host: "127.0.0.1", port: ports[index] })),
  Layer.provide(RpcSerialization.layerSchemaBinary())
)
const ready = Layer.effectDiscard(Effect.sync(() => process.send("ready")))
Effect.runFork(Layer.launch(Layer.provide(ready, server)).pipe(Effect.provide(Logger.layer([]))))
