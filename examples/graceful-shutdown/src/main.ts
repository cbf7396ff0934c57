/** Starts the server in a process of its own, sends it SIGTERM under load, and counts the outcome of each request. */
import { NodeBlocking } from "@effect-blocking/platform-node"
import { NodeHttpClient, NodeServices } from "@effect/platform-node"
import { Array, Console, Duration, Effect, FileSystem, Option, Path, Schema, Stream } from "effect"
import { HttpClient, HttpClientRequest } from "effect/http"
import { ChildProcess } from "effect/process"
import { fileURLToPath } from "node:url"
import { burst, endless, type Outcome, steadily } from "./load.ts"

class Wrong extends Schema.TaggedError<Wrong>()("Wrong", { message: Schema.String }) {}

const serverFile = fileURLToPath(new URL("./server.ts", import.meta.url))

const row = (title: string, ...cells: ReadonlyArray<string | number>): string =>
  title.padEnd(26) + cells.map((cell) => `${cell}`.padStart(10)).join("")

const count = (outcomes: ReadonlyArray<Outcome>, outcome: Outcome): number =>
  outcomes.filter((it) => it === outcome).length

const program = Effect.gen(function*() {
  const fs = yield* FileSystem.FileSystem
  const path = yield* Path.Path
  const auditFile = path.join(yield* fs.makeTempDirectoryScoped({ prefix: "graceful-shutdown-" }), "audit")
  const server = yield* ChildProcess.make(process.execPath, [serverFile], {
    env: { AUDIT_FILE: auditFile, PORT: "0" },
    extendEnv: true,
    stderr: "inherit",
    killSignal: "SIGKILL" // if this program is interrupted
  })
  const address = Option.getOrElse(
    yield* server.stdout.pipe(Stream.decodeText(), Stream.splitLines, Stream.runHead),
    () => "nothing"
  )
  const port = URL.parse(address)?.port
  if (port === undefined) return yield* new Wrong({ message: `The server printed ${address}` })
  const withServer = HttpClient.mapRequest(HttpClientRequest.prependUrl(`http://127.0.0.1:${port}`))
  yield* Console.log("The server is ready. It gets requests, and SIGTERM in the middle of them.\n")

  const terminate = Effect.gen(function*() {
    yield* Effect.sleep("1 second")
    return yield* Effect.timed(Effect.andThen(Effect.sync(() => process.kill(server.pid, "SIGTERM")), server.exitCode))
  })
  const [[time, code], ...loads] = yield* Effect.all([
    terminate,
    steadily(1, 50),
    steadily(5, 200),
    Effect.delay(burst, "500 millis"),
    Effect.all([endless])
  ], { concurrency: "unbounded" }).pipe(Effect.updateService(HttpClient.HttpClient, withServer))

  const titles = ["1 page, every 50 ms", "5 pages, every 200 ms", "2 pages, 40 times at once", "1 000 000 pages"]
  yield* Console.log(row("", "sent", "answered", "busy", "stopped"))
  yield* Effect.forEach(
    Array.zip(titles, loads),
    ([title, it]) => Console.log(row(title, it.length, count(it, "answered"), count(it, "busy"), count(it, "stopped")))
  )

  const outcomes = loads.flat()
  const answered = count(outcomes, "answered")
  const records = (yield* fs.readFileString(auditFile)).split("\n").length - 1
  if (records !== answered) return yield* new Wrong({ message: `${answered} answers, but ${records} audit records` })
  yield* Console.log(`\nNo request was lost, and the audit has one record for each of the ${records} answers.`)
  yield* Console.log(`The server ended ${Duration.toMillis(time).toFixed(0)} ms after SIGTERM, with exit code ${code}.`)
  if (code !== 130 || answered === 0 || count(outcomes, "stopped") === 0) {
    return yield* new Wrong({ message: "Expected some answers, the endless request stopped, and exit code 130" })
  }
})

NodeBlocking.runMain(program.pipe(
  Effect.scoped,
  Effect.timeout("60 seconds"),
  // One connection for each request, so that the outcome depends on the server alone.
  Effect.provide([NodeServices.layer, NodeHttpClient.layerUndiciOptions({ pipelining: 0 })])
))
