/** `Watchdog.layer` as it is by default; the log goes nowhere. */
import { Watchdog } from "@effect-blocking/devtools"
import { Effect, Layer, Logger, ManagedRuntime, Stream } from "effect"

export const watch = async ({ thresholdMillis, onStall }) => {
  const runtime = ManagedRuntime.make(
    Layer.provideMerge(Watchdog.layer({ threshold: thresholdMillis }), Logger.layer([]))
  )
  await runtime.runPromise(Effect.void)
  runtime.runFork(Stream.runForEach(Watchdog.stalls, ({ frames }) => Effect.sync(() => onStall(frames.length > 0))))
  return () => runtime.dispose()
}
