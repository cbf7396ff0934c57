/** The HTTP server. Its handlers do not know where their tasks run. */
import { NodeHttpServer } from "@effect/platform-node"
import { Effect, Layer, Schema } from "effect"
import { Blocking } from "effect-blocking"
import { HttpRouter, HttpServerRequest, HttpServerResponse } from "effect/http"
import { createServer } from "node:http"
import { EventLoop } from "./eventLoop.ts"
import { compress, login, search } from "./tasks.ts"

const Ping = HttpRouter.add("GET", "/ping", HttpServerResponse.text("pong"))

const Credentials = Schema.Struct({ user: Schema.String, password: Schema.String })

const Login = HttpRouter.add(
  "POST",
  "/login",
  Effect.gen(function*() {
    const { password, user } = yield* HttpServerRequest.schemaBodyJson(Credentials)
    const session = yield* Blocking.run(login, user, password)
    return yield* HttpServerResponse.json(session)
  }).pipe(
    Effect.catchTag("WrongPassword", (error) => HttpServerResponse.json(error, { status: 401 }))
  )
)

const Query = Schema.Struct({ q: Schema.NonEmptyString })

const Search = HttpRouter.add(
  "GET",
  "/search",
  Effect.gen(function*() {
    const { q } = yield* HttpServerRequest.schemaSearchParams(Query)
    return yield* HttpServerResponse.json(yield* Blocking.run(search, q))
  })
)

const Bundle = HttpRouter.add(
  "GET",
  "/bundle",
  Effect.map(Blocking.run(compress), (body) =>
    HttpServerResponse.uint8Array(body, {
      contentType: "text/javascript",
      headers: { "content-encoding": "br" }
    }))
)

const EventLoopDelay = HttpRouter.add(
  "GET",
  "/event-loop",
  EventLoop.pipe(
    Effect.flatMap((eventLoop) => eventLoop.takeDelay),
    Effect.flatMap((delay) => HttpServerResponse.json(delay))
  )
)

/** Serves on a free port of the loopback interface, with the `Blocking` that it is given. */
export const layer = HttpRouter.serve(Layer.mergeAll(Ping, Login, Search, Bundle, EventLoopDelay), {
  disableLogger: true,
  disableListenLog: true
}).pipe(
  Layer.provide(EventLoop.layer),
  Layer.provideMerge(
    NodeHttpServer.layer(() => createServer({ keepAliveTimeout: 60_000 }), { host: "127.0.0.1", port: 0 })
  )
)
