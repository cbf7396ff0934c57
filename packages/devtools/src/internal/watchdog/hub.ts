/** Delivers stalls to the streams of `Watchdog.stalls` anywhere in the process. */
import * as Context from "effect/Context"
import * as Effect from "effect/Effect"
import * as Queue from "effect/Queue"
import * as Stream from "effect/Stream"
import type { Stall } from "../../Watchdog.ts"

export class Hub {
  private readonly listeners = new Set<(stall: Stall) => void>()
  /** How many watchdogs run. */
  watching = 0

  publish(stall: Stall): void {
    for (const listener of this.listeners) listener(stall)
  }

  listen(listener: (stall: Stall) => void): () => void {
    this.listeners.add(listener)
    return () => this.listeners.delete(listener)
  }
}

/** One for the process, as there is one event loop. It is a reference so that a test can have its own. */
export const Stalls: Context.Reference<Hub> = Context.Reference("@effect-blocking/devtools/Stalls", {
  defaultValue: () => new Hub()
})

export const stalls: Stream.Stream<Stall> = Stream.callback<Stall>(
  (queue) =>
    Effect.flatMap(Stalls, (hub) =>
      Effect.acquireRelease(
        Effect.sync(() => hub.listen((stall) => Queue.offerUnsafe(queue, stall))),
        (unlisten) => Effect.sync(unlisten)
      )),
  { bufferSize: 64, strategy: "sliding" }
)
