/** What a load balancer does: sends requests for as long as the server is ready, and counts what becomes of each. */
import { Array, Effect, Fiber, Schema } from "effect"
import { HttpClient } from "effect/http"

/** A response that no request may get. */
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

/** Fails if the answer is none of the three, if there is none within the time, and if the connection breaks. */
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

/** One that is never done in time. */
export const endless = send(1_000_000)

/** Many at once, more than the pool and its queue can take. */
export const burst = Effect.forEach(Array.makeBy(40, () => 2), send, { concurrency: "unbounded" })

const isReady = Effect.map(HttpClient.get("/ready"), ({ status }) => status === 200)

/** Sends one after each interval, whether or not those before were answered, and waits for all answers in the end. */
export const steadily = Effect.fn("steadily")(function*(pages: number, interval: number) {
  const sent: Array<Fiber.Fiber<Outcome, Effect.Error<ReturnType<typeof send>>>> = []
  while (yield* isReady) {
    sent.push(yield* Effect.forkChild(send(pages)))
    yield* Effect.sleep(interval)
  }
  return yield* Fiber.joinAll(sent)
})
