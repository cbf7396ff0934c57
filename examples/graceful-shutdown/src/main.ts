/** Starts the server in a process of its own, sends SIGTERM to it under load, and counts what became of each request. */
import { NodeBlocking } from "@effect-blocking/platform-node"
import { NodeHttpClient, NodeServices } from "@effect/platform-node"
import { Console, Duration, Effect, FileSystem, Option, Path, Schema, Stream } from "effect"
import { HttpClient, HttpClientRequest } from "effect/http"
import { ChildProcess } from "effect/process"
import { fileURLToPath } from "node:url"
import { burst, endless, type Outcome, steadily } from "./load.ts"

class Wrong extends Schema.TaggedError<Wrong>()("Wrong", { message: Schema.String }) {}

const serverFile = fileURLToPath(new URL("./server.ts", import.meta.url))

const row = (title: string, ...cells: ReadonlyArray<string | number>) =>
  title.padEnd(30) + cells.map((cell) => `${cell}`.padStart(12)).join("")

const count = (outcomes: ReadonlyArray<Outcome>, outcome: Outcome) => outcomes.filter((it) => it === outcome).length

const rowOf = (title: string, outcomes: ReadonlyArray<Outcome>) =>
  row(title, outcomes.length, count(outcomes, "answered"), count(outcomes, "busy"), count(outcomes, "stopped"))

const program = Effect.gen(function*() {
  const fs = yield* FileSystem.FileSystem
  const path = yield* Path.Path
  const auditFile = path.join(yield* fs.makeTempDirectoryScoped({ prefix: "graceful-shutdown-" }), "audit")
  const server = yield* ChildProcess.make(process.execPath, [serverFile], {
    env: { AUDIT_FILE: auditFile, PORT: "0" },
    extendEnv: true,
    stderr: "inherit",
    killSignal: "SIGKILL" // in case that this program is interrupted
  })
  const address = Option.getOrElse(
    yield* server.stdout.pipe(Stream.decodeText(), Stream.splitLines, Stream.runHead),
    () => "nothing"
  )
  const port = URL.parse(address)?.port
  if (port === undefined) return yield* new Wrong({ message: `The server said ${address}` })
  const withServer = HttpClient.mapRequest(HttpClientRequest.prependUrl(`http://127.0.0.1:${port}`))
  yield* Console.log("The server is ready. It gets requests, and in the middle of them SIGTERM.\n")

  const terminate = Effect.gen(function*() {
    yield* Effect.sleep("1 second")
    return yield* Effect.timed(Effect.andThen(Effect.sync(() => process.kill(server.pid, "SIGTERM")), server.exitCode))
  })
  const [[time, code], one, ten, many, none] = yield* Effect.all([
    terminate,
    steadily(1, 25),
    steadily(10, 100),
    Effect.delay(burst, "500 millis"),
    Effect.all([endless, endless], { concurrency: "unbounded" })
  ], { concurrency: "unbounded" }).pipe(Effect.updateService(HttpClient.HttpClient, withServer))

  yield* Console.log(row("", "sent", "answered", "busy", "stopped"))
  yield* Console.log(rowOf("1 page, every 25 ms", one))
  yield* Console.log(rowOf("10 pages, every 100 ms", ten))
  yield* Console.log(rowOf("4 pages, 40 times at once", many))
  yield* Console.log(rowOf("1 000 000 pages, twice", none))
  const answered = count([one, ten, many, none].flat(), "answered")
  const records = (yield* fs.readFileString(auditFile)).split("\n").length - 1
  if (records !== answered) return yield* new Wrong({ message: `${answered} answers, but ${records} audit records` })
  yield* Console.log(`\nNo request was lost, and the audit has a record of each of the ${records} answers.`)
  yield* Console.log(`The server ended ${Duration.toMillis(time).toFixed(0)} ms after SIGTERM, with exit code ${code}.`)
  if (code !== 130 || count(none, "stopped") !== 2) {
    return yield* new Wrong({ message: "Not the end that was expected" })
  }
})

NodeBlocking.runMain(program.pipe(
  Effect.scoped,
  Effect.timeout("60 seconds"),
  // A connection for each request: it must be the server who decides what becomes of it.
  Effect.provide([NodeServices.layer, NodeHttpClient.layerUndiciOptions({ pipelining: 0 })])
))
