/** Runs the same server with its queries in place and on threads, and compares the times of its clients. */
import { NodeBlocking } from "@effect-blocking/platform-node"
import { SqliteClient } from "@effect-blocking/sqlite"
import { NodeHttpClient, NodeServices } from "@effect/platform-node"
import { Console, Effect, FileSystem, Layer, Path } from "effect"
import { measure, type Measured, WrongAnswer } from "./clients.ts"
import * as Corpus from "./corpus.ts"
import { inPlace, onThreads, type Queries } from "./queries.ts"
import * as Server from "./server.ts"

const millis = (value: number): string => value < 10_000 ? `${value.toFixed(1)} ms` : `${(value / 1000).toFixed(1)} s`

const quantile = (values: ReadonlyArray<number>, q: number): number =>
  values.toSorted((a, b) => a - b)[Math.min(values.length - 1, Math.floor(values.length * q))] ?? Number.NaN

const row = (name: string, figure: (measured: Measured) => string, ...both: ReadonlyArray<Measured>): string =>
  `${name.padEnd(28)}${both.map((measured) => figure(measured).padStart(14)).join("")}`

const program = Effect.gen(function*() {
  const files = yield* FileSystem.FileSystem
  const path = yield* Path.Path
  const folder = yield* files.makeTempDirectoryScoped({ prefix: "sqlite-report-" })
  const filename = path.join(folder, "lines.sqlite")
  const client = SqliteClient.layer({ filename, synchronous: "normal" })

  yield* Console.log("Reading the source files that are installed here …")
  const corpus = yield* Effect.provide(Corpus.make, client)
  const { size } = yield* files.stat(filename)
  yield* Console.log(`${corpus.lines} lines of ${corpus.files} files, ${Math.round(Number(size) / 1e6)} MB\n`)

  const served = <E>(queries: Layer.Layer<Queries, E>) =>
    Effect.provide(
      measure(corpus.files),
      Layer.provide(Server.layer, queries).pipe(Layer.provideMerge(NodeHttpClient.layerUndici))
    )
  const before = yield* served(inPlace(filename))
  const after = yield* served(Layer.provide(onThreads, client))

  yield* Console.log(`${"".padEnd(28)}${"in place".padStart(14)}${"SqliteClient".padStart(14)}`)
  const rows: ReadonlyArray<readonly [string, (measured: Measured) => string]> = [
    ["cheap reads answered", ({ latencies }) => String(latencies.length)],
    ["  latency, median", ({ latencies }) => millis(quantile(latencies, 0.5))],
    ["  latency, p99", ({ latencies }) => millis(quantile(latencies, 0.99))],
    ["  latency, longest", ({ latencies }) => millis(quantile(latencies, 1))],
    ["report, first byte after", ({ firstByteMillis }) => millis(firstByteMillis)],
    ["report, last byte after", ({ totalMillis }) => millis(totalMillis)],
    ["memory, peak growth", ({ memory }) => `${Math.round(memory / 1e6)} MB`]
  ]
  for (const [name, figure] of rows) yield* Console.log(row(name, figure, before, after))

  for (const { lines } of [before, after]) {
    // Neither a line of a file nor its path contains a line break.
    if (lines !== corpus.lines) return yield* new WrongAnswer({ message: `the report has ${lines} lines` })
  }
})

NodeBlocking.runMain(program.pipe(Effect.scoped, Effect.provide(NodeServices.layer)))
