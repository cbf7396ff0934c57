/** A busy database and a closed database, as a client of the API sees them. The tests need no threads. */
import { SqliteMigrator } from "@effect-blocking/sqlite"
import * as SqliteTest from "@effect-blocking/sqlite/SqliteTest"
import { BlockingTest } from "@effect-blocking/vitest"
import { NodeHttpServer } from "@effect/platform-node"
import { assert, it } from "@effect/vitest"
import { Effect, Layer, Logger } from "effect"
import { HttpClient, HttpRouter } from "effect/http"
import { migrations } from "../src/database.ts"
import * as Server from "../src/server.ts"

const TestDatabase = SqliteMigrator.layer({ loader: migrations }).pipe(
  Layer.provideMerge(SqliteTest.layer({ queueCapacity: 1, onFull: "fail" }))
)

const TestLayer = HttpRouter.serve(Server.routes, { disableListenLog: true }).pipe(
  Layer.provideMerge(NodeHttpServer.layerTest),
  Layer.provideMerge(TestDatabase)
)

/** Collects log lines as they would be printed. */
const logTo = (lines: Array<string>) =>
  Logger.layer([Logger.map(Logger.formatLogFmt, (line) => {
    lines.push(line)
  })])

it.effect("with a closed database the client gets an empty 500, and the log has the statement and the reason", () => {
  const log: Array<string> = []
  return Effect.gen(function*() {
    yield* BlockingTest.close(SqliteTest.Writer)
    const response = yield* HttpClient.get("/users/1")
    assert.deepStrictEqual([response.status, yield* response.text], [500, ""])
    assert.match(log.join("\n"), /shut down.*in: SELECT id, name, email FROM users/)
  }).pipe(Effect.provide(TestLayer), Effect.provide(logTo(log)))
})

it.effect("with a full queue the client gets 503, and when to come back", () =>
  Effect.gen(function*() {
    yield* BlockingTest.fillQueue(SqliteTest.Writer)
    const response = yield* HttpClient.get("/users/1")
    assert.deepStrictEqual([response.status, response.headers["retry-after"], yield* response.text], [503, "1", ""])
  }).pipe(Effect.provide(TestLayer), Effect.provide(logTo([]))))
