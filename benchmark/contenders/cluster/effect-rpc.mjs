/** Effect's RPC over sockets: one client for each runner, used in turn, with bodies in the runner's main thread. */
import { NodeSocket } from "@effect/platform-node"
import { Context, Effect, Exit, Layer, Scope } from "effect"
import { RpcClient, RpcSerialization } from "effect/rpc"
import { end, freePort, runnerCount, startRunners } from "../../cluster.mjs"
import { group } from "./effect-rpc.group.mjs"

const clientOf = (port, scope) =>
  RpcClient.layerProtocolSocket().pipe(
    Layer.provide(NodeSocket.layerNet({ host: "127.0.0.1", port })),
    Layer.provide(RpcSerialization.layerSchemaBinary()),
    Layer.buildWithScope(scope),
    Effect.flatMap((context) =>
      Effect.provideContext(RpcClient.make(group, { disableTracing: true }), Context.add(context, Scope.Scope, scope))
    ),
    Effect.runPromise
  )

export const open = async () => {
  const ports = []
  while (ports.length < runnerCount) ports.push(await freePort())
  const runners = await startRunners("effect-rpc", { ports })
  const scope = Scope.makeUnsafe()
  const clients = await Promise.all(ports.map((port) => clientOf(port, scope)))
  let calls = 0
  return {
    call: (millis) => clients[calls++ % clients.length].compute({ millis }),
    close: async () => {
      await end(runners)
      await Promise.race([
        Effect.runPromise(Scope.close(scope, Exit.void)),
        new Promise((done) => setTimeout(done, 500))
      ])
    }
  }
}
