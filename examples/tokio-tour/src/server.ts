/** The programs' own HTTP server, on a free port of the loopback interface. */
import { NodeHttpServer } from "@effect/platform-node"
import { Deferred, Effect, Layer } from "effect"
import { HttpRouter, HttpServer } from "effect/http"
import { createServer } from "node:http"

/** Serves routes. Its port is in `HttpServer`. */
export const layer = <E, R>(routes: Layer.Layer<never, E, R>) =>
  HttpRouter.serve(routes, { disableLogger: true, disableListenLog: true }).pipe(
    Layer.provideMerge(NodeHttpServer.layer(createServer, { host: "127.0.0.1", port: 0 }))
  )

export const url = Effect.map(HttpServer.HttpServer, ({ address }) => HttpServer.formatAddress(address))

/** Holds those who come until `size` of them are there, and lets these go on together. */
export const barrier = (size: number): Effect.Effect<void> => {
  let waiting = 0
  let open = Deferred.makeUnsafe<void>()
  return Effect.suspend(() => {
    const group = open
    if (++waiting < size) return Deferred.await(group)
    waiting = 0
    open = Deferred.makeUnsafe<void>()
    return Deferred.succeed(group, undefined)
  })
}
