/** A program with a worker that runs as long as the program, beside short tasks. */
import { NodeBlocking } from "@effect-blocking/platform-node"
import { NodeServices } from "@effect/platform-node"
import { Console, Effect, FileSystem, Layer, Path } from "effect"
import * as Progress from "./progress.ts"
import { invoices, serve, WrongResult } from "./service.ts"
import * as Worker from "./worker.ts"

const program = Effect.gen(function*() {
  const fs = yield* FileSystem.FileSystem
  const path = yield* Path.Path
  const folder = yield* fs.makeTempDirectoryScoped({ prefix: "long-lived-" })
  const progress = Progress.make()

  // The program stops its worker at its end, and a worker that is lost for good fails the program.
  yield* Effect.raceFirst(serve(folder, progress), Worker.live(folder, progress))

  const ledger = yield* fs.readFileString(path.join(folder, "ledger"))
  if (ledger !== invoices.map(({ cents, number }) => `${number} ${cents}\n`).join("")) {
    return yield* new WrongResult({ message: `The ledger does not have each invoice once:\n${ledger}` })
  }
  const { outcomes: { Cancelled, Panicked, Succeeded } } = yield* Worker.Ledger.stats
  const ends = `${Panicked} panicked, ${Succeeded} succeeded, ${Cancelled} cancelled`
  if (ends !== "1 panicked, 1 succeeded, 0 cancelled") {
    return yield* new WrongResult({ message: `Runs of the worker: ${ends}` })
  }
  yield* Console.log(`The ledger has each of the ${invoices.length} invoices once. Runs of the worker: ${ends}.`)
})

const PoolsLive = Layer.merge(NodeBlocking.layer(), NodeBlocking.layerPool(Worker.Ledger, { maxThreads: 1 }))

NodeBlocking.runMain(program.pipe(
  Effect.scoped,
  Effect.timeout("60 seconds"),
  Effect.provide([PoolsLive, NodeServices.layer])
))
