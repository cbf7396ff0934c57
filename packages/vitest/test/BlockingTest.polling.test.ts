import { BlockingTest } from "@effect-blocking/vitest"
import { assert, describe, it } from "@effect/vitest"
import { Effect, Stream } from "effect"
import { Blocking, Callback, Task } from "effect-blocking"
import { vi } from "vitest"

class Later extends Callback.Service<Later>()("test/Later", Callback.fn<[n: number], number>()) {}

const asks = Task.stream(import.meta.url, "asks", function*(count: number): Generator<number, void> {
  for (let n = 0; n < count; n++) {
    Task.checkpoint()
    yield yield* Later.askOrThrow(n)
  }
}, { callbacks: [Later] })

describe("BlockingTest: a body that polls its stop flag", () => {
  it.live("H6: only the time of one uninterrupted stretch counts, however long the body lives", () =>
    Effect.gen(function*() {
      let now = performance.now()
      const clock = vi.spyOn(performance, "now").mockImplementation(() => now)
      yield* Effect.addFinalizer(() => Effect.sync(() => clock.mockRestore()))
      const answers = yield* Stream.runCollect(Blocking.stream(asks, 5)).pipe(
        Effect.provideService(Later, (n) =>
          Effect.sync(() => {
            now += 3000
            return n
          }))
      )
      assert.deepStrictEqual(answers, [0, 1, 2, 3, 4])
    }).pipe(Effect.scoped, Effect.provide(BlockingTest.layer())))
})
