/** Parses numbers, and handles the line that is not a number. */
import { NodeBlocking } from "@effect-blocking/platform-node"
import { Console, Effect, Number } from "effect"
import { Blocking } from "effect-blocking"
import { parse } from "./tasks.ts"

const describe = (text: string) =>
  Blocking.run(parse, text).pipe( // fails with NotANumber | JoinError
    Effect.map((numbers) => `their sum is ${Number.sumAll(numbers)}`),
    Effect.catchTag("NotANumber", ({ line, text }) => Effect.succeed(`line ${line} is "${text}", not a number`))
  )

export const program = Effect.gen(function*() {
  const good = yield* describe("3\n4\n35")
  const bad = yield* describe("3\nfour\n35")
  yield* Console.log(`3, 4, 35:     ${good}\n3, four, 35:  ${bad}`)
  return { good, bad }
}).pipe(Effect.provide(NodeBlocking.layer()))
