/** Serves the live view over HTTP: a few fixed files, and a stream of snapshots for as long as a page is open. */
import * as NodeHttpServer from "@effect/platform-node/NodeHttpServer"
import * as Deferred from "effect/Deferred"
import * as Effect from "effect/Effect"
import type { ServeError } from "effect/http/HttpServerError"
import * as HttpServerRequest from "effect/http/HttpServerRequest"
import * as HttpServerResponse from "effect/http/HttpServerResponse"
import type * as Scope from "effect/Scope"
import * as Stream from "effect/Stream"
import { readFileSync } from "node:fs"
import { createServer } from "node:http"
import { stripTypeScriptTypes } from "node:module"
import type { AddressInfo } from "node:net"
import { html } from "./page/document.ts"
import { css } from "./page/style.ts"
import type { Snapshot } from "./snapshot.ts"

/** How often a page gets a snapshot. Arbitrary: people cannot read numbers that change faster. */
const snapshotMillis = 500

/** How many pages can be open at once. Arbitrary. */
const maxPages = 16

/**
 * The page loads nothing from other origins, runs only our scripts, and cannot be framed, whatever the names of tasks and
 * the messages of errors contain.
 */
const headers = {
  "content-security-policy":
    "default-src 'none'; script-src 'self'; style-src 'self'; connect-src 'self'; img-src data:; base-uri 'none'; form-action " +
    "'none'; frame-ancestors 'none'",
  "cross-origin-resource-policy": "same-origin",
  "cross-origin-opener-policy": "same-origin",
  "referrer-policy": "no-referrer",
  "x-content-type-options": "nosniff",
  "x-frame-options": "DENY",
  "cache-control": "no-store"
}

export interface ServerOptions {
  readonly host: string
  readonly port: number
  /** In addition to the names of the loopback interface. With ports, as browsers send them. */
  readonly allowedHosts: ReadonlyArray<string>
}

/** Serves until the scope closes, and returns the address. */
export const serve = Effect.fnUntraced(function*(
  snapshot: Effect.Effect<Snapshot>,
  { allowedHosts, host, port }: ServerOptions
): Effect.fn.Return<string, ServeError, Scope.Scope> {
  const node = createServer()
  // It keeps no program alive, nor do the pages that are open.
  node.unref()
  node.on("connection", (socket) => socket.unref())
  const server = yield* NodeHttpServer.make(() => node, { host, port, gracefulShutdownTimeout: 0 })
  const bound = (node.address() as AddressInfo).port
  const allowed = new Set([...["127.0.0.1", "localhost", "[::1]"].map((name) => `${name}:${bound}`), ...allowedHosts])
  const closing = yield* Deferred.make<void>()
  let pages = 0

  // All pages share one snapshot.
  const [json] = yield* Effect.cachedInvalidateWithTTL(
    Effect.map(snapshot, (view) => JSON.stringify(view)),
    snapshotMillis / 2
  )
  const encoder = new TextEncoder()
  const events = Stream.tick(snapshotMillis).pipe(
    Stream.mapEffect(() => Effect.map(json, (json) => encoder.encode(`data: ${json}\n\n`))),
    Stream.interruptWhen(Deferred.await(closing)),
    Stream.onStart(Effect.sync(() => pages++)),
    Stream.ensuring(Effect.sync(() => pages--))
  )

  const answer = Effect.gen(function*() {
    const { headers: sent, method, url } = yield* HttpServerRequest.HttpServerRequest
    // A foreign page has another host name if its name resolves to this address (DNS rebinding), and another origin otherwise.
    if (!allowed.has(sent["host"] ?? "")) {
      return plain(403, "This host name is not allowed: see LiveView.Options.allowedHosts\n")
    }
    if (sent["origin"] !== undefined && sent["origin"] !== `http://${sent["host"]}`) {
      return plain(403, "Other origins are not allowed\n")
    }
    if (method !== "GET" && method !== "HEAD") return plain(405, "Only GET and HEAD are allowed\n")
    switch (url) {
      case "/":
        return HttpServerResponse.text(html, { contentType: "text/html; charset=utf-8", headers })
      case "/style.css":
        return HttpServerResponse.text(css, { contentType: "text/css; charset=utf-8", headers })
      case "/snapshot":
        return HttpServerResponse.text(yield* json, { contentType: "application/json", headers })
      case "/events":
        if (pages >= maxPages) return plain(503, "Too many pages are open\n")
        return HttpServerResponse.stream(events, { contentType: "text/event-stream", headers })
    }
    const script = scripts.get(url)
    return script === undefined
      ? plain(404, "Not found\n")
      : HttpServerResponse.text(yield* script, { contentType: "text/javascript; charset=utf-8", headers })
  })

  yield* server.serve(answer)
  // Before the server waits for its answers to end.
  yield* Effect.addFinalizer(() =>
    Effect.andThen(Deferred.succeed(closing, undefined), Effect.sync(() => node.closeAllConnections()))
  )
  return `http://${host.includes(":") ? `[${host}]` : host}:${bound}/`
})

const plain = (status: number, text: string) => HttpServerResponse.text(text, { status, headers })

/** The modules of the page: sources with their types stripped, or compiled files. */
const extension = import.meta.url.endsWith("ts") ? "ts" : "js"
const urls = extension === "ts"
  ? [new URL("./page/app.ts", import.meta.url), new URL("./page/words.ts", import.meta.url)]
  : [new URL("./page/app.js", import.meta.url), new URL("./page/words.js", import.meta.url)]

const scripts = new Map(urls.map((url) => {
  const load = Effect.sync(() => {
    const text = readFileSync(url, "utf8")
    return extension === "ts" ? stripTypeScriptTypes(text) : text.replace(/\n\/\/# sourceMappingURL=.*/, "")
  })
  const name = url.pathname.slice(url.pathname.lastIndexOf("/"))
  // The document always loads `/app.js`.
  return [name === `/app.${extension}` ? "/app.js" : name, load] as const
}))
