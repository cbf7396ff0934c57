/** A hundred tasks that sleep, on a pool of eight threads; and a hundred fibers that sleep, on none. */
import { NodeBlocking } from "@effect-blocking/platform-node"
import { Array, Console, Duration, Effect } from "effect"
import { Blocking } from "effect-blocking"
import * as Signal from "../signal.ts"
import { sleep } from "./tasks.ts"

const sleepers = 100
const threads = 8
const millis = 50

/** Runs a hundred at once, and gives how long they took together, as a number of sleeps one after the other. */
const inRounds = Effect.fn("inRounds")(function*<A, E, R>(one: Effect.Effect<A, E, R>) {
  const all = Effect.forEach(Array.range(1, sleepers), () => one, { concurrency: "unbounded" })
  const [took, results] = yield* Effect.timed(all)
  return { rounds: Math.round(Duration.toMillis(took) / millis), results }
})

export const program = Effect.gen(function*() {
  yield* Blocking.prewarm()
  const asleep = Signal.make()
  const tasks = yield* inRounds(Blocking.run(sleep, asleep, millis))
  const fibers = yield* inRounds(Effect.sleep(millis))
  const atOnce = Math.max(...tasks.results)
  yield* Console.log(
    `${sleepers} tasks of ${millis} ms on ${threads} threads  at once: ${atOnce}  rounds: ${tasks.rounds}`
  )
  yield* Console.log(`${sleepers} fibers of ${millis} ms on no thread             rounds: ${fibers.rounds}`)
  return { atOnce, rounds: tasks.rounds }
}).pipe(Effect.provide(NodeBlocking.layer({ maxThreads: threads })))
