/** Reads a file with the call that blocks. */
import { NodeBlocking } from "@effect-blocking/platform-node"
import { Console, Effect } from "effect"
import { Blocking } from "effect-blocking"
import { threadId } from "node:worker_threads"
import { readText } from "./tasks.ts"

export const program = Effect.gen(function*() {
  const { text, threadId: reader } = yield* Blocking.run(readText, import.meta.filename)
  const [firstLine] = text.split("\n")
  yield* Console.log(`${firstLine}\nread on thread ${reader}; the event loop is on thread ${threadId}`)
  return { firstLine, reader }
}).pipe(Effect.provide(NodeBlocking.layer()))
