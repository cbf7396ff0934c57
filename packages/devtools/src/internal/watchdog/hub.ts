/** Where stalls are told: to the streams of `Watchdog.stalls`, wherever they are run in the process. */
import * as Context from "effect/Context"
import * as Effect from "effect/Effect"
import * as Queue from "effect/Queue"
import * as Stream from "effect/Stream"
import type { Stall } from "../../Watchdog.ts"

export class Hub {
  private readonly listeners = new Set<(stall: Stall) => void>()
  /** How many watchdogs tell. */
  watching = 0

  tell(stall: Stall): void {
    for (const listener of this.listeners) listener(stall)
  }

  listen(listener: (stall: Stall) => void): () => void {
    this.listeners.add(listener)
    return () => this.listeners.delete(listener)
  }
}

/** A reference, so that a test can have its own; otherwise there is one for the process, as there is one event loop. */
export const Stalls: Context.Reference<Hub> = Context.Reference("@effect-blocking/devtools/Stalls", {
  defaultValue: () => new Hub()
})

export const stalls: Stream.Stream<Stall> = Stream.callback<Stall>(
  (queue) =>
    Effect.flatMap(Stalls, (hub) =>
      Effect.acquireRelease(
        Effect.sync(() => hub.listen((stall) => Queue.offerUnsafe(queue, stall))),
        (forget) => Effect.sync(forget)
      )),
  { bufferSize: 64, strategy: "sliding" }
)
