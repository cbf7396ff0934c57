/** The handlers: each runs a task, whose domain errors are those of its endpoint. */
import { Effect, Layer } from "effect"
import { JoinError, type Task } from "effect-blocking"
import { HttpApiBuilder, HttpApiMiddleware, HttpApiSwagger } from "effect/http-api"
import { Api, Busy } from "./api.ts"
import { Database } from "./database.ts"
import { createUser, findUser, searchUsers } from "./tasks.ts"

/** A full queue is for the client to know; anything else that can happen to a thread is a bug: 500, and logged. */
const run = <Args extends ReadonlyArray<unknown>, A, E>(task: Task.Task<Args, A, E>, ...args: Args) =>
  Database.run(task, ...args).pipe(
    Effect.catchIf(
      JoinError.isJoinError,
      (error) => error.reason._tag === "QueueFull" ? Effect.fail(new Busy({ retryAfterSeconds: 1 })) : Effect.die(error)
    )
  )

const Users = HttpApiBuilder.group(Api, "users", (handlers) =>
  handlers.handleAll({
    find: ({ params }) => run(findUser, params.id),
    search: ({ query }) => run(searchUsers, query.search),
    create: ({ payload }) => run(createUser, payload)
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
