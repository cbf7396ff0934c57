/** What a client sees of a pool that is full or that loses a thread, and what it does not see. No thread is needed. */
import { BlockingTest } from "@effect-blocking/vitest"
import { NodeHttpServer } from "@effect/platform-node"
import { assert, it } from "@effect/vitest"
import { Effect, Layer, Logger } from "effect"
import { JoinError } from "effect-blocking"
import { HttpClient, HttpRouter } from "effect/http"
import { Database } from "../src/database.ts"
import * as Server from "../src/server.ts"
import { findUser } from "../src/tasks.ts"

const TestLayer = HttpRouter.serve(Server.routes, { disableListenLog: true }).pipe(
  Layer.provideMerge(NodeHttpServer.layerTest),
  Layer.provideMerge(BlockingTest.layerPool(Database, { maxThreads: 1, queueCapacity: 0, onFull: "fail" }))
)

/** Keeps what is logged, as it would be printed. */
const logTo = (lines: Array<string>) =>
  Logger.layer([Logger.map(Logger.formatLogFmt, (line) => {
    lines.push(line)
  })])

it.effect("a lost thread is an empty 500 for the client; the log has the task and the reason", () => {
  const log: Array<string> = []
  return Effect.gen(function*() {
    yield* BlockingTest.failNext(findUser, new JoinError.WorkerExited({ exitCode: 7 }))
    const response = yield* HttpClient.get("/users/1")
    assert.deepStrictEqual([response.status, yield* response.text], [500, ""])
    assert.match(log.join("\n"), /JoinError: Task \\?"findUser\\?" .* lost its thread, which ended with exit code 7/)
  }).pipe(Effect.provide(TestLayer), Effect.provide(logTo(log)))
})

it.effect("with all threads taken it is 503, and says when to come back", () =>
  Effect.gen(function*() {
    yield* BlockingTest.fillQueue(Database)
    const response = yield* HttpClient.get("/users/1")
    assert.deepStrictEqual([response.status, response.headers["retry-after"], yield* response.text], [503, "1", ""])
  }).pipe(Effect.provide(TestLayer), Effect.provide(logTo([]))))
