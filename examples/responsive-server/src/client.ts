/**
 * The load, in a process of its own, so that neither side disturbs the other's event
 * loop. Checks every answer, and prints a `Measurement`.
 */
import { NodeHttpClient, NodeRuntime } from "@effect/platform-node"
import { Array, Console, Duration, Effect, Order, Schema } from "effect"
import { HttpClient, HttpClientRequest, HttpClientResponse } from "effect/http"
import { EventLoopDelay } from "./eventLoop.ts"
import { Measurement } from "./measurement.ts"
import { type Exchange, heavy, ping } from "./requests.ts"

const loadMillis = 7_000
const pingIntervalMillis = 5
const connections = 100

const serverUrl = process.argv[2] ?? "http://127.0.0.1:3000"
const wrong = new Set<string>()
const verified = new Map<Exchange, Buffer>()

/** Sends a request; its answer is verified the first time, and must stay the same from then on. */
const send = Effect.fn("send")(function*(exchange: Exchange) {
  const response = yield* HttpClient.execute(exchange.request)
  const body = Buffer.from(yield* response.arrayBuffer)
  const isRight = response.status === exchange.status &&
    (verified.get(exchange)?.equals(body) ?? exchange.verify(body))
  if (isRight) verified.set(exchange, body)
  else wrong.add(`${exchange.name} answered ${response.status} with ${body.length} bytes`)
})

const takeEventLoopDelay = Effect.flatMap(
  HttpClient.get("/event-loop"),
  HttpClientResponse.schemaBodyJson(EventLoopDelay)
)

// A ping is sent when it is due, whether or not those before it were answered. A client
// that waits for its answer sends little while the server is stuck, and measures less.
const pings = Effect.forEach(
  Array.range(0, loadMillis / pingIntervalMillis - 1),
  (index) => Effect.timed(send(ping)).pipe(Effect.delay(index * pingIntervalMillis)),
  { concurrency: "unbounded" }
)

/** Sends one heavy request after the other until the time is over, and counts them. */
const work = Effect.fn("work")(function*(exchange: Exchange) {
  const end = performance.now() + loadMillis
  let count = 0
  while (performance.now() < end) {
    yield* send(exchange)
    count++
  }
  return [exchange.name, count] as const
})

const program = Effect.gen(function*() {
  yield* Effect.forEach([ping, ...heavy], send, { discard: true })
  // All connections are opened before: a busy event loop accepts only one or two in each turn.
  yield* Effect.forEach(Array.range(1, connections), () => send(ping), { concurrency: "unbounded", discard: true })
  yield* takeEventLoopDelay
  const [answered, counts] = yield* Effect.all(
    [pings, Effect.forEach(heavy, work, { concurrency: "unbounded" })],
    { concurrency: "unbounded" }
  )
  const eventLoop = yield* takeEventLoopDelay
  const millis = Array.sort(answered.map(([duration]) => Duration.toMillis(duration)), Order.Number)
  const measurement = { pings: millis, heavy: Object.fromEntries(counts), eventLoop, wrong: [...wrong] }
  yield* Console.log(yield* Schema.encodeEffect(Measurement)(measurement))
})

program.pipe(
  Effect.updateService(HttpClient.HttpClient, HttpClient.mapRequest(HttpClientRequest.prependUrl(serverUrl))),
  Effect.provide(NodeHttpClient.layerUndiciOptions({ connections })),
  Effect.timeout("60 seconds"),
  NodeRuntime.runMain
)
