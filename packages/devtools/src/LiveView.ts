/**
 * Shows the pools of a running program on a local page.
 *
 * `layer` serves a page over HTTP, on the loopback interface, with all pools of the program: their threads
 * and running tasks, the queue, the times in the queue and in the body, failures and stops. With `Watchdog.layer` it
 * also shows the stalls of the event loop. `npx effect-blocking top` shows the same in a terminal.
 *
 * @module
 * @since 0.1.0
 */
import * as Effect from "effect/Effect"
import type { ServeError } from "effect/http/HttpServerError"
import * as Layer from "effect/Layer"
import { record } from "./internal/view/recording.ts"
import { serve } from "./internal/view/server.ts"

/**
 * Options of `layer`. Every option has a default.
 *
 * @category models
 * @since 0.1.0
 */
export interface Options {
  /** The port; 0 for any free one. Defaults to 34438. */
  readonly port?: number | undefined
  /**
   * The address to listen on. Defaults to `"127.0.0.1"`, which only this machine reaches. The page has no password:
   * everyone who reaches it can read it.
   */
  readonly host?: string | undefined
  /**
   * Further host names of the page, with ports, such as `["devbox.internal:34438"]`. Requests for any other name are
   * refused, except for `localhost` and the loopback addresses, so that no foreign page can read this one.
   */
  readonly allowedHosts?: ReadonlyArray<string> | undefined
  /**
   * `"messages"` shows the message and stack of each failure, as the log does. `"names"` shows only its name, for
   * messages that contain secrets. Arguments and results of tasks are never shown. Defaults to `"messages"`.
   */
  readonly failures?: "messages" | "names" | undefined
}

/**
 * Layer that serves the live view of the program's pools, and logs its address.
 *
 * **Details**
 *
 * It shows all open pools, of every key, including those that are made later. Events of a pool before the layer found it
 * are only in the pool's own counters. The layer counts the events of the pools (`Blocking.events`) even while no page is
 * open, within bounds. It does not keep the program alive. Fails if the port is taken.
 *
 * **Example** (A page for a program that runs with DEVTOOLS)
 *
 * ```ts
 * import { LiveView, Watchdog } from "@effect-blocking/devtools"
 * import { Layer } from "effect"
 *
 * export const DevtoolsLive = process.env.DEVTOOLS === undefined
 *   ? Layer.empty
 *   : Layer.merge(Watchdog.layer(), LiveView.layer())
 * ```
 *
 * @category layers
 * @since 0.1.0
 */
export const layer = (options: Options = {}): Layer.Layer<never, ServeError> => Layer.effectDiscard(make(options))

const make = Effect.fnUntraced(function*(options: Options) {
  const snapshot = yield* record(options.failures ?? "messages")
  const address = yield* serve(snapshot, {
    host: options.host ?? "127.0.0.1",
    port: options.port ?? 34_438,
    allowedHosts: options.allowedHosts ?? []
  })
  yield* Effect.logInfo(`The live view of the pools is at ${address}`)
})
