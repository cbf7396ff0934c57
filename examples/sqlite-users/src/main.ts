/** A demonstration that ends by itself: the server on a free port, with a temporary database, and its client. */
import { NodeBlocking } from "@effect-blocking/platform-node"
import { NodeHttpClient, NodeHttpServer, NodeServices } from "@effect/platform-node"
import { Effect, FileSystem, Layer, Path } from "effect"
import { HttpRouter } from "effect/http"
import { createServer } from "node:http"
import * as Database from "./database.ts"
import { program } from "./demo.ts"
import * as Server from "./server.ts"

const TemporaryDatabase = Layer.unwrap(Effect.gen(function*() {
  const files = yield* FileSystem.FileSystem
  const path = yield* Path.Path
  const folder = yield* files.makeTempDirectoryScoped({ prefix: "sqlite-users-" })
  return Database.layer(path.join(folder, "users.sqlite"))
}))

const ServerOnFreePort = HttpRouter.serve(Server.routes, { disableLogger: true, disableListenLog: true }).pipe(
  Layer.provideMerge(NodeHttpServer.layer(createServer, { host: "127.0.0.1", port: 0 }))
)

NodeBlocking.runMain(program.pipe(
  Effect.provide(NodeHttpClient.layerUndici),
  Effect.provide(Layer.provideMerge(ServerOnFreePort, TemporaryDatabase)),
  Effect.provide(NodeServices.layer)
))
