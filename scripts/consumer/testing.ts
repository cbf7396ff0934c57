import { BlockingTest } from "@effect-blocking/vitest"
import { Effect, Fiber } from "effect"
import { Blocking, Task } from "effect-blocking"
import { TestClock } from "effect/testing"
import { hash } from "./password.ts"

const program = Effect.gen(function*() {
  yield* BlockingTest.stub(hash, () => "stubbed")
  const digest: string = yield* Blocking.run(hash, "correct horse", "salt").pipe(Effect.orDie)
  const held = yield* BlockingTest.hold(hash)
  const limited = Task.with(hash, { timeLimit: "1 hour" })
  const fiber = yield* Effect.forkChild(Effect.flip(Blocking.run(limited, "correct horse", "salt")))
  yield* held.started
  yield* TestClock.adjust("2 hours")
  const error = yield* Fiber.join(fiber)
  return `${digest} | ${error._tag === "JoinError" ? error.reason._tag : error._tag}`
})

console.log(
  await Effect.runPromise(program.pipe(Effect.provide(BlockingTest.layer()), Effect.provide(TestClock.layer())))
)
