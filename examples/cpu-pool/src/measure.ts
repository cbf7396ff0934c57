/** What the two pools are measured by. */
import { Array, Duration, Effect, Fiber, Order, Schedule, Stream } from "effect"
import { Blocking } from "effect-blocking"
import { Cpu, picture } from "./Cpu.ts"
import { fingerprint } from "./fingerprint.ts"

const sortedMillis = (durations: Iterable<Duration.Duration>): ReadonlyArray<number> =>
  Array.sort(Array.map(Array.fromIterable(durations), Duration.toMillis), Order.Number)

const median = (sorted: ReadonlyArray<number>): number => sorted[Math.floor(sorted.length / 2)] ?? 0

const rounds = 3

/** Renders the picture several times; with all threads of the pool started before. */
export const rendering = Effect.gen(function*() {
  yield* Cpu.prewarm((yield* Cpu.stats).maxThreads)
  const pixels = yield* picture // The first one warms the threads up.
  const times = yield* Effect.replicateEffect(Effect.timed(picture), rounds)
  return { pixels, millis: median(sortedMillis(times.map(([took]) => took))) }
})

/** How long a short task takes while the picture is rendered: on the default pool, again and again, and on the same. */
export const meanwhile = Effect.gen(function*() {
  yield* Effect.all([Blocking.prewarm(1), Cpu.prewarm((yield* Cpu.stats).maxThreads)])
  const rendering = yield* Effect.forkChild(
    Effect.all([picture, Effect.timed(Cpu.run(fingerprint, "behind the bands"))], { concurrency: "unbounded" })
  )
  const beside = yield* Stream.fromEffectSchedule(
    Effect.timed(Blocking.run(fingerprint, "beside them")),
    Schedule.spaced("5 millis")
  ).pipe(
    Stream.map(([took]) => took),
    Stream.interruptWhen(Fiber.join(rendering)),
    Stream.runCollect
  )
  const [, [behind]] = yield* Fiber.join(rendering)
  const sorted = sortedMillis(beside)
  return { count: sorted.length, median: median(sorted), max: sorted.at(-1) ?? 0, behind: Duration.toMillis(behind) }
})
