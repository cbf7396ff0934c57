import { Effect, Layer, Logger, Option } from "effect"
import { RunnerAddress } from "effect/cluster"
import * as bodies from "./bodies.mjs"
import { cluster, Computing } from "./effect-entity.entity.mjs"

const { folder, index, ports } = JSON.parse(process.argv[2])

const handlers = Computing.toLayer(
  { compute: ({ payload: { millis } }) => Effect.sync(() => bodies.compute(millis)) },
  { concurrency: "unbounded" }
)
const runnerAddress = Option.some(RunnerAddress.make("127.0.0.1", ports[index]))
const ready = Layer.effectDiscard(Effect.sync(() => process.send("ready")))
Effect.runFork(
  Layer.launch(handlers.pipe(Layer.provide(cluster(folder, { shardingConfig: { runnerAddress } })), Layer.merge(ready)))
    .pipe(Effect.provide(Logger.layer([])))
)
