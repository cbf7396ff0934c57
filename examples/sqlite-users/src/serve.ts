/** Serves the API until Ctrl-C: `npm run serve -w examples/sqlite-users`. */
import { NodeBlocking } from "@effect-blocking/platform-node"
import { NodeHttpServer } from "@effect/platform-node"
import { Layer } from "effect"
import { HttpRouter } from "effect/http"
import { createServer } from "node:http"
import * as Database from "./database.ts"
import * as Server from "./server.ts"

HttpRouter.serve(Server.routes).pipe(
  Layer.provide(Database.layer("users.sqlite")),
  Layer.provide(NodeHttpServer.layer(createServer, { host: "127.0.0.1", port: 3000 })),
  Layer.launch,
  NodeBlocking.runMain
)
