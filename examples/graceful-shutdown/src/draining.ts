/** Whether the server is about to stop: a load balancer asks for it, and every response says so. */
import { Context, Effect, Layer } from "effect"
import { HttpEffect, HttpRouter, HttpServerResponse } from "effect/http"

export class Draining extends Context.Service<Draining, {
  readonly begun: () => boolean
  readonly begin: Effect.Effect<void>
}>()("@effect-blocking/example-graceful-shutdown/draining/Draining") {
  static readonly layer = Layer.sync(Draining, () => {
    let begun = false
    return Draining.of({
      begun: () => begun,
      begin: Effect.sync(() => {
        begun = true
      })
    })
  })
}

/** Answers 200 while new requests are welcome, then 503. */
export const Ready = HttpRouter.add(
  "GET",
  "/ready",
  Effect.map(
    Draining,
    ({ begun }) => begun() ? HttpServerResponse.text("draining", { status: 503 }) : HttpServerResponse.text("ready")
  )
)

/** Closes each connection with its last response, and adds `retry-after` to each 503. */
export const Headers = HttpRouter.middleware(
  Effect.map(Draining, ({ begun }) => (handler) =>
    HttpEffect.withPreResponseHandler(handler, (_, response) => {
      const headers = {
        ...(begun() ? { connection: "close" } : {}),
        ...(response.status === 503 ? { "retry-after": "1" } : {})
      }
      return Effect.succeed(HttpServerResponse.setHeaders(response, headers))
    })),
  { global: true }
)
