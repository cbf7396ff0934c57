import { NodeBlocking } from "@effect-blocking/platform-node"
import { Effect, Layer, Logger } from "effect"
import { Farm, storage } from "./effect-blocking.farm.mjs"
import { computed } from "./effect-blocking.tasks.mjs"

const { folder, lockMillis, threads } = JSON.parse(process.argv[2])

const runner = Farm.layerRunner().pipe(
  Layer.provide(NodeBlocking.layer({ maxThreads: threads, minThreads: threads, preload: [computed] })),
  Layer.provide(storage(folder, lockMillis))
)
const ready = Layer.effectDiscard(Effect.sync(() => process.send("ready")))
Effect.runFork(Layer.launch(Layer.provide(ready, runner)).pipe(Effect.provide(Logger.layer([]))))
