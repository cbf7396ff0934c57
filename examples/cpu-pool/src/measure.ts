/** Measures how long the picture takes, and how long short tasks take meanwhile. */
import { Array, Duration, Effect, Fiber, Layer, Order, Schedule, Stream } from "effect"
import { Blocking } from "effect-blocking"
import { Cpu, picture } from "./Cpu.ts"
import { fingerprint } from "./fingerprint.ts"

const summarize = (durations: ReadonlyArray<Duration.Duration>) => {
  const sorted = Array.sort(durations.map(Duration.toMillis), Order.Number)
  return { count: sorted.length, median: sorted[Math.floor(sorted.length / 2)] ?? 0, max: sorted.at(-1) ?? 0 }
}

/** Renders alternately with one thread and with all cores. Returns both pictures and the median times. */
export const compare = Effect.gen(function*() {
  const single = yield* Layer.build(Cpu.layer(1))
  const round = Effect.all([Effect.timed(Effect.provide(picture, single)), Effect.timed(picture)])
  const [[, one], [, all]] = yield* round // Starts the threads and warms them up. Not counted.
  const rounds = yield* Effect.replicateEffect(round, 3)
  return {
    one: { pixels: one, millis: summarize(rounds.map(([[took]]) => took)).median },
    all: { pixels: all, millis: summarize(rounds.map(([, [took]]) => took)).median }
  }
}).pipe(Effect.scoped)

/** Runs a short task again and again while all threads render, on the default pool and on the rendering pool. */
export const meanwhile = Effect.gen(function*() {
  yield* Blocking.prewarm(1)
  const rendering = yield* Effect.forkChild(picture)
  const again = <E, R>(task: Effect.Effect<string, E, R>) =>
    Stream.fromEffectSchedule(Effect.timed(task), Schedule.spaced("5 millis")).pipe(
      Stream.map(([took]) => took),
      Stream.interruptWhen(Fiber.join(rendering)),
      Stream.runCollect,
      Effect.map(summarize)
    )
  return yield* Effect.all({
    beside: again(Blocking.run(fingerprint, "beside them")),
    among: again(Cpu.run(fingerprint, "among the rows"))
  }, { concurrency: "unbounded" })
})
