/** This library: runners with one thread each, and their storage in SQLite. */
import { Effect, Exit, Layer, Scope } from "effect"
import { end, startRunner, startRunners } from "../../cluster.mjs"
import { Farm, storage } from "./effect-blocking.farm.mjs"
import { computed, noted } from "./effect-blocking.tasks.mjs"

export const open = async (folder, { lockMillis = 5000 } = {}) => {
  const options = { folder, lockMillis, threads: 1 }
  const runners = await startRunners("effect-blocking", options, lockMillis === 5000 ? undefined : 1)
  const scope = Scope.makeUnsafe()
  const context = await Effect.runPromise(
    Layer.buildWithScope(Layer.provide(Farm.layerClient(), storage(folder, lockMillis)), scope)
  )
  let keys = 0
  const submit = (task, payload) => Effect.provideContext(Farm.submit(task, payload, { key: `${++keys}` }), context)
  return {
    call: (millis) => Effect.provideContext(Farm.run(computed, millis), context),
    submit: (millis) => Effect.flatMap(submit(computed, millis), (receipt) => receipt.await),
    noted: (file, millis) => Effect.flatMap(submit(noted, { file, millis }), (receipt) => receipt.await),
    another: async () => runners.push(await startRunner("effect-blocking", options)),
    close: async () => {
      await Effect.runPromise(Scope.close(scope, Exit.void))
      await end(runners)
    }
  }
}
