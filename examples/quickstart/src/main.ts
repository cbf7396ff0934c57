// main.ts
import { NodeBlocking } from "@effect-blocking/platform-node"
import { Effect } from "effect"
import { Blocking } from "effect-blocking"
import { hash } from "./password.ts"

const program = Effect.gen(function*() {
  const digest = yield* Blocking.run(hash, "correct horse", "salt") // Effect<string, JoinError, Blocking>
  yield* Effect.log(digest)
})
NodeBlocking.runMain(program.pipe(Effect.provide(NodeBlocking.layer())))
