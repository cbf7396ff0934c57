/** A value, a domain error and a panic of the same task, each handled by itself. */
import { NodeBlocking } from "@effect-blocking/platform-node"
import { Console, Effect } from "effect"
import { Blocking } from "effect-blocking"
import { divide } from "./tasks.ts"

const describe = (dividend: number, divisor: number) =>
  Blocking.run(divide, dividend, divisor).pipe(
    Effect.map((quotient) => `value         ${quotient}`),
    Effect.catchTag("DivisionByZero", ({ dividend }) => Effect.succeed(`domain error  ${dividend} by zero`)),
    Effect.catchReason("JoinError", "Panicked", ({ thrown }) => Effect.succeed(`panic         ${thrown}`))
  )

export const program = Effect.gen(function*() {
  const lines = yield* Effect.all([describe(42, 6), describe(42, 0), describe(42, 1.5), describe(42, 7)])
  yield* Console.log(lines.join("\n"))
  const { threadsStarted } = yield* Blocking.stats
  yield* Console.log(`${lines.length} runs on ${threadsStarted} thread: a panic does not end it`)
  return { lines, threadsStarted }
}).pipe(Effect.provide(NodeBlocking.layer({ maxThreads: 1 })))
