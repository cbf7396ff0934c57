/**
 * Effect's own way to call workers: an RpcClient over a pool of NodeWorkers.
 *
 * Settings: no tracing on either side; values cross without being encoded, unless a row measures
 * that; one call per thread at a time (default). effect-rpc-pipelined.mjs has more.
 */
import * as NodeWorker from "@effect/platform-node/NodeWorker"
import { Effect, Exit, Layer, Scope } from "effect"
import * as RpcClient from "effect/rpc/RpcClient"
import { Worker } from "node:worker_threads"
import { Calls } from "./effect-rpc.group.mjs"

const acknowledging = new URL("./effect-rpc.worker.mjs", import.meta.url)

export const start = async ({ threads, concurrency = 1, entry = acknowledging }) => {
  const scope = Scope.makeUnsafe()
  const protocol = RpcClient.layerProtocolWorker({ size: threads, concurrency }).pipe(
    Layer.provide(NodeWorker.layer(() => new Worker(entry)))
  )
  const client = await Layer.buildWithScope(protocol, scope).pipe(
    Effect.flatMap((context) => Effect.provideContext(RpcClient.make(Calls, { disableTracing: true }), context)),
    Scope.provide(scope),
    Effect.runPromise
  )
  const calls = {
    add: (a, b) => client.add({ a, b }),
    echo: (value) => client.echo({ value }),
    burn: (rounds) => client.burn({ rounds }),
    waves: (rounds) => client.waves({ rounds }),
    nap: (millis) => client.nap({ millis }),
    forever: () => client.forever(),
    tick: (value) => client.tick({ value }),
    gate: (value) => client.gate({ value })
  }
  const run = (task, ...args) => calls[task](...args)
  return {
    run,
    abortable: run,
    rows: (count) => client.rows({ count }),
    move: (bytes) => client.flip({ bytes }),
    close: () => Effect.runPromise(Scope.close(scope, Exit.void))
  }
}
