/** Asks the server for each kind of answer, with a client derived from the API, and checks each answer. */
import { Array, Console, Effect, Schema } from "effect"
import { HttpClient, HttpClientRequest, HttpClientResponse, HttpServer } from "effect/http"
import { HttpApiClient, HttpApiError } from "effect/http-api"
import { isDeepStrictEqual } from "node:util"
import { Api, Busy } from "./api.ts"
import { queueCapacity, readers } from "./database.ts"
import { EmailTaken, UserNotFound } from "./domain.ts"
import { seed } from "./users.ts"

/** Enough that reading all of them takes some time. */
const users = 400_000

/** Far more than can run and wait. */
const searches = 100

class WrongAnswer extends Schema.TaggedError<WrongAnswer>()("WrongAnswer", {
  request: Schema.String,
  answer: Schema.Unknown
}) {
  override get message() {
    return `${this.request}: ${JSON.stringify(this.answer)}`
  }
}

const check = (request: string, answer: unknown, isRight: boolean) =>
  isRight ? Effect.void : Effect.fail(new WrongAnswer({ request, answer }))

export const program = Effect.gen(function*() {
  yield* seed(users)
  yield* Console.log(`${users} users; ${readers} queries read at a time, ${queueCapacity} may wait\n`)

  const { address } = yield* HttpServer.HttpServer
  let lastStatus = 0
  const http = (yield* HttpClient.HttpClient).pipe(
    HttpClient.mapRequest(HttpClientRequest.prependUrl(HttpServer.formatAddress(address))),
    HttpClient.tap((response) => Effect.sync(() => lastStatus = response.status))
  )
  const client = yield* HttpApiClient.makeWith(Api, { httpClient: http })

  /** Checks an answer, and prints it. */
  const ask = Effect.fn("ask")(
    function*<E, R>(request: string, answering: Effect.Effect<unknown, E, R>, status: number, expected: unknown) {
      const answer = yield* answering
      yield* check(request, [lastStatus, answer], isDeepStrictEqual([lastStatus, answer], [status, expected]))
      yield* Console.log(`${request.padEnd(30)}${status}  ${JSON.stringify(answer) ?? ""}`.trimEnd())
    }
  )

  const someone = { id: 4711, name: "User 4711", email: "user4711@example.com" }
  yield* ask("GET /users/4711", client.users.find({ params: { id: 4711 } }), 200, someone)
  const nobody = Effect.flip(client.users.find({ params: { id: 0 } }))
  yield* ask("GET /users/0", nobody, 404, new UserNotFound({ id: 0 }))

  const ada = { name: "Ada Lovelace", email: "ada@example.com" }
  const createAda = client.users.create({ payload: ada })
  const foundAda = { id: users + 1, ...ada }
  yield* ask("POST /users, Ada", createAda, 201, foundAda)
  yield* ask("POST /users, Ada again", Effect.flip(createAda), 409, new EmailTaken({ email: ada.email }))
  // Sent without the derived client, which checks the schema and would refuse it.
  const createNonsense = HttpClientRequest.post("/users").pipe(
    HttpClientRequest.bodyJsonUnsafe({ name: "Ada", email: "ada" }),
    http.execute,
    Effect.flatMap(HttpClientResponse.schemaBodyJson(HttpApiError.BadRequestProblem)),
    Effect.map(({ errors }) => errors)
  )
  const issue = { path: ["payload", "email"], message: "Expected an e-mail address" }
  yield* ask("POST /users, a wrong e-mail", createNonsense, 400, [issue])
  const search = client.users.search({ query: { search: "lovelace" } })
  yield* ask("GET /users?search=lovelace", search, 200, [foundAda])
  yield* ask("GET /health", client.health(), 204, undefined)

  yield* Console.log(`\n${searches} × GET /users?search=lovelace at once`)
  const storm = Effect.partition(Array.range(1, searches), () => search, { concurrency: "unbounded" })
  const busy = new Busy({ retryAfterSeconds: 1 })
  let healthy = 0
  const stayHealthy = Effect.forever(Effect.tap(client.health(), () => Effect.sync(() => healthy++)))
  const [found, refused] = yield* Effect.raceFirst(storm, stayHealthy)
  for (const answer of found) yield* check("a search", answer, isDeepStrictEqual(answer, [foundAda]))
  for (const error of refused) yield* check("a refused search", error, isDeepStrictEqual(error, busy))
  // Every search that runs or waits is answered, however many come later.
  yield* check("searches answered", found.length, found.length >= readers + queueCapacity && refused.length > 0)
  yield* check("GET /health, answered meanwhile", healthy, healthy > 0)
  yield* Console.log(`  200, each with Ada            ${found.length}`)
  yield* Console.log(`  503, each with Retry-After    ${refused.length}`)
  yield* Console.log(`GET /health, answered meanwhile ${healthy}`)
})
