/** The handlers: each runs a query, whose domain errors are the errors of its endpoint. */
import { Effect, Layer, Schema } from "effect"
import { JoinError } from "effect-blocking"
import { HttpApiBuilder, HttpApiMiddleware, HttpApiSwagger } from "effect/http-api"
import { SqlError } from "effect/sql"
import { Api, Busy } from "./api.ts"
import * as users from "./users.ts"

const isQueueFull = ({ reason }: SqlError.SqlError): boolean =>
  JoinError.isJoinError(reason.cause) && reason.cause.reason._tag === "QueueFull"

/** A full queue becomes `Busy`. Any other error of the database is a bug: 500, and a log entry. */
const answer = <A, E, R>(query: Effect.Effect<A, E | SqlError.SqlError | Schema.SchemaError, R>) =>
  query.pipe(
    Effect.catchIf(
      SqlError.isSqlError,
      (error) => isQueueFull(error) ? Effect.fail(new Busy({ retryAfterSeconds: 1 })) : Effect.die(error)
    ),
    Effect.catchIf(Schema.isSchemaError, Effect.die)
  )

const Users = HttpApiBuilder.group(Api, "users", (handlers) =>
  handlers.handleAll({
    find: ({ params }) => answer(users.find(params.id)),
    search: ({ query }) => answer(users.search(query.search)),
    create: ({ payload }) => answer(users.create(payload))
  }))

const System = HttpApiBuilder.group(Api, "system", (handlers) => handlers.handleAll({ health: () => Effect.void }))

/** The API, and a page that describes it at `/docs`. */
export const routes = Layer.mergeAll(
  HttpApiBuilder.layer(Api, { openapiPath: "/openapi.json" }),
  HttpApiSwagger.layer(Api, { path: "/docs" })
).pipe(
  Layer.provide([Users, System]),
  Layer.provide(HttpApiMiddleware.layerProblemDetails({ includeDetails: true }))
)
