/** Runs the same server twice under the same load, with its work in place and on the pool, and compares. */
import { LiveView } from "@effect-blocking/devtools"
import { NodeBlocking } from "@effect-blocking/platform-node"
import { NodeServices } from "@effect/platform-node"
import { Console, Effect, Layer, Schema } from "effect"
import { HttpServer } from "effect/http"
import { ChildProcess, ChildProcessSpawner } from "effect/process"
import { availableParallelism } from "node:os"
import { fileURLToPath } from "node:url"
import * as Corpus from "./corpus.ts"
import * as Culprits from "./culprits.ts"
import * as InPlace from "./inPlace.ts"
import { Measurement } from "./measurement.ts"
import { render } from "./report.ts"
import * as Server from "./server.ts"

class WrongAnswers extends Schema.TaggedError<WrongAnswers>()("WrongAnswers", {
  answers: Schema.Array(Schema.String)
}) {
  override get message() {
    return `The server gave wrong answers: ${this.answers.join(", ")}`
  }
}

const clientFile = fileURLToPath(new URL("./client.ts", import.meta.url))

/** Runs the client against the server, and returns its measurement. */
const measure = Effect.fn("measure")(function*(variant: string) {
  yield* Console.log(`Measuring the server with its work ${variant} …`)
  const { address } = yield* HttpServer.HttpServer
  const spawner = yield* ChildProcessSpawner.ChildProcessSpawner
  const output = yield* spawner.string(
    ChildProcess.make(process.execPath, [clientFile, HttpServer.formatAddress(address)], { stderr: "inherit" })
  )
  const measurement = yield* Schema.decodeEffect(Measurement)(output)
  if (measurement.wrong.length > 0) return yield* new WrongAnswers({ answers: measurement.wrong })
  return measurement
})

const program = Effect.gen(function*() {
  const [inPlace, stalls] = yield* measure("in place").pipe(
    Effect.provide(Server.layer.pipe(Layer.provide(InPlace.layer))),
    Culprits.during
  )
  // The work computes and does not wait: more threads than cores would only take turns.
  const pool = yield* measure("on the pool").pipe(
    Effect.provide(Server.layer.pipe(Layer.provide(NodeBlocking.layer({ maxThreads: availableParallelism() }))))
  )
  yield* Console.log(`\n${render(inPlace, pool)}\n\n${Culprits.render(stalls)}`)
})

/** With `--live`, a browser or `npx effect-blocking top` shows the run. */
const Live = process.argv.includes("--live") ? LiveView.layer() : Layer.empty

NodeBlocking.runMain(program.pipe(
  Effect.provide([Corpus.layer, NodeServices.layer, Culprits.layer, Live])
))
