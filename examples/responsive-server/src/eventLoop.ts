/** How late the event loop of this process is, which is how long everything in it waits. */
import { Context, Effect, Layer, Schema } from "effect"
import { monitorEventLoopDelay } from "node:perf_hooks"

/** Milliseconds. */
export const EventLoopDelay = Schema.Struct({ p50: Schema.Finite, p99: Schema.Finite, max: Schema.Finite })

/** How often the loop is asked, in milliseconds; Node counts this into what it reports. */
const resolution = 5

const millis = (nanos: number): number => Math.max(0, nanos / 1e6 - resolution)

export class EventLoop extends Context.Service<EventLoop, {
  /** The delays since it was last asked. */
  readonly takeDelay: Effect.Effect<typeof EventLoopDelay.Type>
}>()("@effect-blocking/example-responsive-server/eventLoop/EventLoop") {
  static readonly layer = Layer.effect(
    EventLoop,
    Effect.gen(function*() {
      const histogram = monitorEventLoopDelay({ resolution })
      yield* Effect.acquireRelease(
        Effect.sync(() => histogram.enable()),
        () => Effect.sync(() => histogram.disable())
      )
      return EventLoop.of({
        takeDelay: Effect.sync(() => {
          const delay = {
            p50: millis(histogram.percentile(50)),
            p99: millis(histogram.percentile(99)),
            max: millis(histogram.max)
          }
          histogram.reset()
          return delay
        })
      })
    })
  )
}
