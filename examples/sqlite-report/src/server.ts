/** The server: a file by its id, and the report as CSV. */
import { NodeHttpServer } from "@effect/platform-node"
import { Effect, Layer, Schema, Stream } from "effect"
import { HttpRouter, HttpServerResponse } from "effect/http"
import { createServer } from "node:http"
import { type Line, Queries } from "./queries.ts"

const quoted = (text: string): string => `"${text.replaceAll("\"", "\"\"")}"`

const toCsv = ({ number, path, text }: Line): string => `${quoted(path)},${number},${quoted(text)}\r\n`

const encoder = new TextEncoder()

const FileRoute = HttpRouter.add(
  "GET",
  "/files/:id",
  Effect.gen(function*() {
    const { id } = yield* HttpRouter.schemaPathParams(Schema.Struct({ id: Schema.FiniteFromString }))
    const queries = yield* Queries
    const [file] = yield* queries.file(id)
    return file === undefined ? HttpServerResponse.empty({ status: 404 }) : yield* HttpServerResponse.json(file)
  })
)

const ReportRoute = HttpRouter.add(
  "GET",
  "/report.csv",
  Effect.map(Queries, ({ longestLines }) =>
    HttpServerResponse.stream(
      // Each chunk of rows becomes one piece of text, made when the client is ready for it.
      Stream.mapArray(longestLines, (lines) => [encoder.encode(lines.map(toCsv).join(""))]),
      { contentType: "text/csv" }
    ))
)

export const layer = HttpRouter.serve(Layer.mergeAll(FileRoute, ReportRoute), {
  disableLogger: true,
  disableListenLog: true
}).pipe(Layer.provideMerge(NodeHttpServer.layer(createServer, { host: "127.0.0.1", port: 0 })))
