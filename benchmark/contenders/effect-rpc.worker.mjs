/**
 * The code of the RPC contender's threads. It imports modules instead of barrels, to start sooner. With
 * `?unacknowledged`, streams do not wait for acknowledgements.
 */
import * as NodeRuntime from "@effect/platform-node/NodeRuntime"
import * as NodeWorkerRunner from "@effect/platform-node/NodeWorkerRunner"
import * as Effect from "effect/Effect"
import * as Layer from "effect/Layer"
import * as RpcServer from "effect/rpc/RpcServer"
import * as Stream from "effect/Stream"
import * as bodies from "./bodies.mjs"
import { Calls } from "./effect-rpc.group.mjs"

const handlers = Calls.toLayer({
  add: ({ a, b }) => Effect.sync(() => bodies.add(a, b)),
  echo: ({ value }) => Effect.sync(() => bodies.echo(value)),
  flip: ({ bytes }) => Effect.sync(() => bodies.flip(bytes)),
  burn: ({ rounds }) => Effect.sync(() => bodies.burn(rounds)),
  waves: ({ rounds }) => Effect.sync(() => bodies.waves(rounds)),
  nap: ({ millis }) => Effect.sync(() => bodies.nap(millis)),
  rows: ({ count }) => Stream.fromIterable(bodies.rows(count), { chunkSize: 1024 }),
  forever: () => Effect.sync(bodies.forever),
  tick: ({ value }) => Effect.sync(() => bodies.tick(value)),
  gate: ({ value }) => Effect.sync(() => bodies.gate(value))
})

const protocol = new URL(import.meta.url).search === "?unacknowledged"
  ? Layer.effect(
    RpcServer.Protocol,
    Effect.map(RpcServer.makeProtocolWorkerRunner, (made) => ({ ...made, supportsAck: false }))
  )
  : RpcServer.layerProtocolWorkerRunner

RpcServer.layer(Calls, { disableTracing: true, concurrency: "unbounded" }).pipe(
  Layer.provide(handlers),
  Layer.provide(protocol),
  Layer.provide(NodeWorkerRunner.layer),
  Layer.launch,
  NodeRuntime.runMain
)
