/** A synchronous HTTP client on four threads, against the server of this very program. */
import { NodeBlocking } from "@effect-blocking/platform-node"
import { Array, Console, Effect } from "effect"
import { Blocking } from "effect-blocking"
import { HttpRouter, HttpServerResponse } from "effect/http"
import * as Server from "../server.ts"
import { get } from "./tasks.ts"

const threads = 4
const requests = 12

// It answers four at once. So four threads are blocked at the same time, and the event loop of the server is not.
const Hello = HttpRouter.add("GET", "/hello", Effect.as(Server.barrier(threads), HttpServerResponse.text("hello")))

export const program = Effect.gen(function*() {
  const url = yield* Server.url
  const answers = yield* Effect.forEach(Array.range(1, requests), () => Blocking.run(get, `${url}/hello`), {
    concurrency: "unbounded"
  })
  const missing = yield* Blocking.run(get, `${url}/missing`).pipe(
    Effect.catchTag("BadStatus", ({ status }) => Effect.succeed(status))
  )
  yield* Console.log(`${answers.length} answers, ${threads} at a time, by a server on the event loop`)
  yield* Console.log(`a page that is not there: BadStatus ${missing}`)
  return { answers, missing }
}).pipe(Effect.provide([Server.layer(Hello), NodeBlocking.layer({ maxThreads: threads })]))
