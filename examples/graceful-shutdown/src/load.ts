/** Acts as a load balancer: sends requests while the server is ready, and returns the outcome of each. */
import { Array, Effect, Fiber, Schema } from "effect"
import { HttpClient } from "effect/http"

/** A response that is not an expected outcome. */
export class BadResponse extends Schema.TaggedError<BadResponse>()("BadResponse", {
  url: Schema.String,
  status: Schema.Int,
  detail: Schema.String
}) {
  override get message() {
    return `${this.url} answered ${this.status}: ${this.detail}`
  }
}

export type Outcome = "answered" | "busy" | "stopped"

const Report = Schema.fromJsonString(Schema.Struct({ pages: Schema.Int, digest: Schema.String }))

/** Fails if the answer is not one of the three outcomes, does not come in time, or the connection breaks. */
const send = Effect.fn("send")(function*(pages: number) {
  const url = `/report/${pages}`
  const { headers, status, text } = yield* HttpClient.get(url)
  const body = yield* text
  if (status === 200) {
    const report = yield* Schema.decodeEffect(Report)(body)
    if (report.pages === pages) return "answered"
  }
  if (status === 503 && headers["retry-after"] === "1") {
    if (body === "busy") return "busy"
    if (body === "" && headers["connection"] === "close") return "stopped"
  }
  return yield* new BadResponse({ url, status, detail: body })
}, Effect.timeout("20 seconds"))

/** A request that never ends in time. */
export const endless = send(1_000_000)

/** Many requests at once, more than the pool and its queue can take. */
export const burst = Effect.forEach(Array.makeBy(40, () => 2), send, { concurrency: "unbounded" })

const isReady = Effect.map(HttpClient.get("/ready"), ({ status }) => status === 200)

/** Sends a request after each interval without waiting for answers, and waits for all answers at the end. */
export const steadily = Effect.fn("steadily")(function*(pages: number, interval: number) {
  const sent: Array<Fiber.Fiber<Outcome, Effect.Error<ReturnType<typeof send>>>> = []
  while (yield* isReady) {
    sent.push(yield* Effect.forkChild(send(pages)))
    yield* Effect.sleep(interval)
  }
  return yield* Fiber.joinAll(sent)
})
