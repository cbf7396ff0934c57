/** The page of the live view over HTTP: a few fixed answers, and one that goes on for as long as the page is open. */
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

/** How often the page gets a snapshot. Arbitrary: as fast as people read numbers that change. */
const snapshotMillis = 500

/** How many pages can be open at once. Arbitrary. */
const maxPages = 16

/**
 * The page loads nothing from elsewhere, runs no script but ours, and is in nobody's frame: whatever a task is
 * called, and whatever its errors say.
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
  /** With their ports, as the browser sends them; besides those of the loopback interface. */
  readonly allowedHosts: ReadonlyArray<string>
}

/** Serves until the scope closes; the answer is where. */
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

  // One for all pages.
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
    // A page of elsewhere whose name was made to lead here (DNS rebinding) has another host; one that posts here, another origin.
    if (!allowed.has(sent["host"] ?? "")) {
      return plain(403, "This host name is not allowed: see LiveView.Options.allowedHosts\n")
    }
    if (sent["origin"] !== undefined && sent["origin"] !== `http://${sent["host"]}`) {
      return plain(403, "Another origin\n")
    }
    if (method !== "GET" && method !== "HEAD") return plain(405, "There is nothing but to read\n")
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
      ? plain(404, "There is nothing here\n")
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

/** The modules of the page, as they are imported there: the sources without their types, or what was compiled. */
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
  // The document asks for one name, whichever it is.
  return [name === `/app.${extension}` ? "/app.js" : name, load] as const
}))
