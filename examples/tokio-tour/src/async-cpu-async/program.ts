/** Eight logs: fetched without a thread, summarized on one of two, and their summaries posted without a thread. */
import { NodeBlocking } from "@effect-blocking/platform-node"
import { NodeHttpClient } from "@effect/platform-node"
import { Array, Console, Effect, Layer, Schema } from "effect"
import { Blocking, Task } from "effect-blocking"
import { HttpClient, HttpClientRequest, HttpRouter, HttpServerRequest, HttpServerResponse } from "effect/http"
import { gzipSync } from "node:zlib"
import * as Server from "../server.ts"
import * as Signal from "../signal.ts"
import { summarize } from "./tasks.ts"

const logs = 8
const threads = 2
const packed = gzipSync(Array.makeBy(100_000, (n) => `${n % 100 === 0 ? "ERROR" : "INFO"} line ${n}`).join("\n"))

const Summary = Schema.Struct({ lines: Schema.Int, errors: Schema.Int })

const serverLayer = (posted: Array<typeof Summary.Type>) =>
  Server.layer(Layer.merge(
    // It answers when all eight ask. Requests that waited for one of two threads would never be answered.
    HttpRouter.add("GET", "/log", Effect.as(Server.barrier(logs), HttpServerResponse.uint8Array(packed))),
    HttpRouter.add(
      "POST",
      "/summary",
      Effect.map(HttpServerRequest.schemaBodyJson(Summary), (summary) => {
        posted.push(summary)
        return HttpServerResponse.empty()
      })
    )
  ))

/** Fetches a log, summarizes it, and posts the summary. Gives how many were summarized at once. */
const handleLog = Effect.fn("handleLog")(function*(url: string, atWork: Int32Array) {
  const client = yield* HttpClient.HttpClient
  const response = yield* client.get(`${url}/log`)
  const log = new Uint8Array(yield* response.arrayBuffer)
  const { atOnce, ...summary } = yield* Blocking.run(summarize, Task.move(log), atWork)
  yield* client.execute(HttpClientRequest.bodyJsonUnsafe(HttpClientRequest.post(`${url}/summary`), summary))
  return atOnce
})

const handleLogs = Effect.gen(function*() {
  yield* Blocking.prewarm()
  const one = handleLog(yield* Server.url, Signal.make())
  return Math.max(...yield* Effect.replicateEffect(one, logs, { concurrency: "unbounded" }))
})

export const program = Effect.gen(function*() {
  const posted: Array<typeof Summary.Type> = []
  const atOnce = yield* Effect.provide(handleLogs, [
    serverLayer(posted),
    NodeBlocking.layer({ maxThreads: threads }),
    NodeHttpClient.layerUndici
  ])
  yield* Console.log(`fetched     ${logs} at once`)
  yield* Console.log(`summarized  ${atOnce} at once`)
  yield* Console.log(`posted      ${posted.length}, each with ${posted[0]?.errors} errors in ${posted[0]?.lines} lines`)
  return { atOnce, posted }
})
