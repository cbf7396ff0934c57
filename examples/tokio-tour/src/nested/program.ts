/** Blocking inside of blocking: in place, and on the pool by a callback. The threads are those of `Blocking.stats`. */
import { NodeBlocking } from "@effect-blocking/platform-node"
import { Console, Effect } from "effect"
import { Blocking, type JoinError } from "effect-blocking"
import { Deeper, descend } from "./tasks.ts"

const inPlace = (depth: number): Effect.Effect<number> =>
  Blocking.inPlace(() => depth === 1 ? 1 : 1 + Effect.runSync(inPlace(depth - 1)), { budget: "1 second" })

export const program = Effect.gen(function*() {
  const pool = yield* Blocking.Blocking
  const depthInPlace = yield* inPlace(3)
  const { threadsStarted } = yield* pool.stats
  yield* Console.log(`inPlace, ${depthInPlace} deep  threads: ${threadsStarted}`)

  const threads: Array<number> = []
  const down = (depth: number): Effect.Effect<number, JoinError.JoinError> =>
    pool.run(descend, depth).pipe(Effect.provideService(Deeper, deeper))
  const deeper = Effect.fnUntraced(function*(depth: number) {
    const stats = yield* pool.stats
    threads.push(stats.threads)
    yield* Console.log(`run, ${depth} deep      threads: ${stats.threads}`)
    return yield* down(depth + 1)
  }, (deeper, depth) =>
    deeper.pipe(
      Effect.catchReason("JoinError", "WouldDeadlock", ({ message }) =>
        Effect.as(Console.log(`run, ${depth + 1} deep      ${message}`), depth)),
      Effect.orDie
    ))
  const depth = yield* down(1)
  return { threadsInPlace: threadsStarted, threads, depth }
}).pipe(Effect.provide(NodeBlocking.layer({ maxThreads: 2 })))
