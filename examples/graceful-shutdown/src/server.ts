/** An HTTP server with a pool, and a graceful shutdown: after SIGTERM it answers each accepted request, within a bound. */
import { NodeBlocking } from "@effect-blocking/platform-node"
import { NodeHttpServer } from "@effect/platform-node"
import { Config, Console, Effect, Layer, Schema } from "effect"
import { Blocking } from "effect-blocking"
import { HttpRouter, HttpServer, HttpServerResponse } from "effect/http"
import { createServer } from "node:http"
import { Draining, Headers, Ready } from "./draining.ts"
import { audit, render } from "./tasks.ts"

/** How long the server still accepts requests after SIGTERM, until the load balancer has noticed. */
const noticeTime = "2 seconds"
/** How long the accepted requests have after that. Unfinished ones are then stopped, and answered with 503. */
const answerTime = "2 seconds"

/** A pool of one thread, so that records are written in order and never wait behind reports. */
class Audit extends Blocking.Pool<Audit>()("@effect-blocking/example-graceful-shutdown/server/Audit") {}

const unavailable = (reason: string) => HttpServerResponse.text(reason, { status: 503 })

const Reports = HttpRouter.use(Effect.fnUntraced(function*(router) {
  const file = yield* Config.String("AUDIT_FILE")
  const report = Effect.gen(function*() {
    const { pages } = yield* HttpRouter.schemaPathParams(Schema.Struct({ pages: Schema.FiniteFromString }))
    const report = yield* Blocking.run(render, pages)
    yield* Audit.spawnDetached(audit, file, `${pages}\n`)
    return yield* HttpServerResponse.json(report)
  })
  yield* router.add(
    "GET",
    "/report/:pages",
    Effect.catchReasons(report, "JoinError", {
      QueueFull: () => Effect.succeed(unavailable("busy")),
      // Happens only after a second signal, which shuts the pools down while the server still answers.
      Cancelled: () => Effect.succeed(unavailable("shutting down")),
      ShutDown: () => Effect.succeed(unavailable("shutting down"))
    })
  )
}))

const Listening = HttpServer.addressFormattedWith((address) => Console.log(address)).pipe(Layer.effectDiscard)

/** The last layer to be built is the first to close. */
const Drain = Layer.effectDiscard(Effect.gen(function*() {
  const draining = yield* Draining
  yield* Effect.addFinalizer(() => Effect.andThen(draining.begin, Effect.sleep(noticeTime)))
}))

const Server = HttpRouter.serve(Layer.mergeAll(Ready, Reports, Headers), {
  disableLogger: true,
  disableListenLog: true
})

// In the order of closing: stop being ready; stop listening, and answer; end the pools.
const Main = Layer.mergeAll(Drain, Listening).pipe(
  Layer.provideMerge(Server),
  Layer.provide(NodeHttpServer.layerConfig(createServer, {
    port: Config.Int("PORT").pipe(Config.withDefault(3000)),
    gracefulShutdownTimeout: Config.succeed(answerTime)
  })),
  Layer.provide([
    Draining.layer,
    NodeBlocking.layer({ maxThreads: 4, queueCapacity: 20, onFull: "fail" }),
    NodeBlocking.layerPool(Audit, { maxThreads: 1 })
  ])
)

NodeBlocking.runMain(Layer.launch(Main))
