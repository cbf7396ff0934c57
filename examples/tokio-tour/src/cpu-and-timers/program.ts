/** A computation beside a timer that must stay on time: in place, and on the pool. */
import { NodeBlocking } from "@effect-blocking/platform-node"
import { Clock, Console, Duration, Effect, Fiber } from "effect"
import { Blocking } from "effect-blocking"
import { countPrimes, primesBelow } from "./tasks.ts"

const end = 2_000_000
const interval = 10

/** Runs a computation beside a timer, and gives how often the timer fired meanwhile and how late it was at most. */
const besideTimer = Effect.fn("besideTimer")(function*<E, R>(computation: Effect.Effect<number, E, R>) {
  let ticks = 0
  let latest = 0
  const tick = Effect.gen(function*() {
    const due = (yield* Clock.currentTimeMillis) + interval
    yield* Effect.sleep(interval)
    latest = Math.max(latest, (yield* Clock.currentTimeMillis) - due)
    ticks++
  })
  const timer = yield* Effect.forkChild(Effect.forever(tick), { startImmediately: true })
  const [took, primes] = yield* Effect.timed(computation)
  const ticksMeanwhile = ticks
  // The tick that was due during the computation has fired by then, however late.
  yield* Effect.sleep(interval)
  yield* Fiber.interrupt(timer)
  return { took: Duration.toMillis(took), ticks: ticksMeanwhile, latest, primes }
})

export const program = Effect.gen(function*() {
  yield* Blocking.prewarm(1)
  const inPlace = yield* besideTimer(Blocking.inPlace(() => primesBelow(end), { budget: Infinity }))
  const onPool = yield* besideTimer(Blocking.run(countPrimes, end))
  yield* Console.log("              took      ticks meanwhile  latest tick")
  for (const [where, { latest, ticks, took }] of [["in place", inPlace], ["on the pool", onPool]] as const) {
    yield* Console.log(
      `${where.padEnd(14)}${took.toFixed(0).padStart(4)} ms  ${`${ticks}`.padStart(17)}  ${`${latest}`.padStart(8)} ms`
    )
  }
  return { inPlace, onPool }
}).pipe(Effect.provide(NodeBlocking.layer({ preload: [countPrimes] })))
