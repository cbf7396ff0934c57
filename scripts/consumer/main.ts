import { NodeBlocking } from "@effect-blocking/platform-node"
import { Effect } from "effect"
import { Blocking } from "effect-blocking"
import { broken, hash, hashInSchema } from "./password.ts"

const program = Effect.gen(function*() {
  const digest: string = yield* Blocking.run(hash, "correct horse", "salt")
  const empty: "no password" | string = yield* Blocking.run(hash, "", "salt").pipe(
    Effect.catchTag("EmptyPassword", () => Effect.succeed("no password"))
  )
  const panic: string | number = yield* Blocking.run(broken).pipe(
    Effect.catchReason("JoinError", "Panicked", ({ thrown }) => Effect.succeed(String(thrown)))
  )
  const { threads } = yield* Blocking.stats
  return [digest.length, empty, panic, digest === (yield* Blocking.run(hashInSchema, "correct horse")), threads]
    .join(" | ")
})

for (const isolation of ["thread", "process"] as const) {
  const layer = NodeBlocking.layer({ maxThreads: 1, isolation })
  console.log(await Effect.runPromise(program.pipe(Effect.provide(layer))))
}
