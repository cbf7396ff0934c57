/** A volatile entity of Effect's cluster: its body runs in the runner's main thread, and the runners' storage is SQLite. */
import { Effect, Exit, Layer, Scope } from "effect"
import { end, freePort, runnerCount, startRunners } from "../../cluster.mjs"
import { cluster, Computing } from "./effect-entity.entity.mjs"

export const open = async (folder) => {
  const ports = []
  while (ports.length < runnerCount) ports.push(await freePort())
  const runners = await startRunners("effect-entity", { folder, ports })
  const scope = Scope.makeUnsafe()
  const context = await Effect.runPromise(Layer.buildWithScope(cluster(folder, { clientOnly: true }), scope))
  const client = await Effect.runPromise(Computing.client.pipe(Effect.provideContext(context), Scope.provide(scope)))
  let calls = 0
  return {
    // Enough entities to spread evenly.
    call: (millis) => client(`entity-${calls++ % 64}`).compute({ millis }),
    close: async () => {
      await end(runners)
      await Promise.race([
        Effect.runPromise(Scope.close(scope, Exit.void)),
        new Promise((done) => setTimeout(done, 1000))
      ])
    }
  }
}
