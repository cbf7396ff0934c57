/**
 * Shows what the pools of a program do, while they do it: as a page on this machine.
 *
 * `layer` serves a page over HTTP, on the loopback interface, with all pools of the program: their threads
 * and what they run, the queue, how long tasks wait and run, what failed and what was stopped. With
 * `Watchdog.layer` it has the stalls of the event loop as well. `npx effect-blocking top` shows the same in a terminal.
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
 * Where the page is, and what it shows. Every option has a default.
 *
 * @category models
 * @since 0.1.0
 */
export interface Options {
  /** The port; 0 for any that is free. Defaults to 34438. */
  readonly port?: number | undefined
  /**
   * The address that is listened on. Defaults to `"127.0.0.1"`, which only this machine reaches. Whoever reaches the page
   * can read it: there is no password.
   */
  readonly host?: string | undefined
  /**
   * The names under which the page can be asked for, with their ports, besides `localhost` and the addresses of the loopback
   * interface: `["devbox.internal:34438"]`. Others are refused, so that no page of elsewhere can read this one.
   */
  readonly allowedHosts?: ReadonlyArray<string> | undefined
  /**
   * What is shown of a failure: its message and stack, as in the log, or its name only, where messages hold what is not
   * to be seen. Arguments and results of tasks are never shown. Defaults to `"messages"`.
   */
  readonly failures?: "messages" | "names" | undefined
}

/**
 * Layer that serves the live view of the program's pools, and logs where.
 *
 * **Details**
 *
 * It sees each pool that is open, of every key, also those that are made later; what a pool did before it was seen is in its
 * counters only. While no page is open it counts what the pools tell (`Blocking.events`), within bounds. It keeps no
 * program alive. Fails if the port is taken.
 *
 * **Example** (A page beside the program, when it is asked for)
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
