/** A runner: takes bands as it has a free thread, until SIGTERM. `node runner.ts <database>` */
import { NodeBlocking } from "@effect-blocking/platform-node"
import { Layer } from "effect"
import { Farm, storage } from "./Farm.ts"

const runner = Farm.layerRunner({ listen: false }).pipe(
  Layer.provide(NodeBlocking.layer({ maxThreads: 1 })),
  Layer.provide(storage(process.argv[2] ?? "farm.db"))
)

NodeBlocking.runMain(Layer.launch(runner))
