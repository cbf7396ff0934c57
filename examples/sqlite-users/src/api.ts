/** The API, shared by the server, its documentation and its clients. */
import { Schema } from "effect"
import { HttpApi, HttpApiEndpoint, HttpApiGroup, HttpApiMiddleware, HttpApiSchema, OpenApi } from "effect/http-api"
import { EmailTaken, NewUser, User, UserNotFound } from "./domain.ts"

/** The database has too many requests. The answer has no body, and the header `Retry-After`. */
export class Busy extends Schema.TaggedError<Busy>()("Busy", { retryAfterSeconds: Schema.Int }) {
  static readonly response = Busy.pipe(HttpApiSchema.encodeToWithHeaders({
    body: HttpApiSchema.Empty(503),
    headers: { "retry-after": Schema.Int }
  }, {
    decode: ({ headers }) => new Busy({ retryAfterSeconds: headers["retry-after"] }),
    encode: ({ retryAfterSeconds }) => ({ body: undefined, headers: { "retry-after": retryAfterSeconds } })
  }))
}

const Users = HttpApiGroup.make("users").add(
  HttpApiEndpoint.get("find", "/users/:id", {
    params: { id: Schema.Int },
    success: User,
    error: [UserNotFound, Busy.response]
  }),
  HttpApiEndpoint.get("search", "/users", {
    query: { search: Schema.NonEmptyString },
    success: Schema.Array(User),
    error: Busy.response
  }),
  HttpApiEndpoint.post("create", "/users", {
    payload: NewUser,
    success: User.pipe(HttpApiSchema.status("Created")),
    error: [EmailTaken, Busy.response]
  })
)

const System = HttpApiGroup.make("system", { topLevel: true }).add(
  HttpApiEndpoint.get("health", "/health", { success: HttpApiSchema.NoContent })
)

/** Input that does not fit its schema is answered with 400, which says where (RFC 9457). */
export class Api extends HttpApi.make("users")
  .add(Users, System)
  .middleware(HttpApiMiddleware.ProblemDetails)
  .annotateMerge(OpenApi.annotations({ title: "Users", version: "1.0.0" }))
{}
