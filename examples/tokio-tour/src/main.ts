/** Runs the programs of the tour in order, or the one that is named. */
import { NodeBlocking } from "@effect-blocking/platform-node"
import { NodeServices } from "@effect/platform-node"
import { Console, Effect, Option, Record } from "effect"
import { Argument, Command } from "effect/cli"
import { programs } from "./programs.ts"

const names = Record.keys(programs)

const run = Effect.fn("run")(function*(name: keyof typeof programs) {
  const { program, title } = programs[name]
  yield* Console.log(`\n${names.indexOf(name) + 1}. ${title} (${name})\n`)
  yield* program
})

const command = Command.make(
  "tokio-tour",
  { name: Argument.Literals("name", names).pipe(Argument.withDescription("The one to run"), Argument.optional) },
  ({ name }) => Effect.forEach(Option.isSome(name) ? [name.value] : names, run, { discard: true })
)

NodeBlocking.runMain(Command.run(command, { version: "1.0.0" }).pipe(Effect.provide(NodeServices.layer)))
