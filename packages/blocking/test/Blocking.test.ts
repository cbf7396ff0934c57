import { assert, describe, it } from "@effect/vitest"
import { Cause, Effect, Exit, Logger, Metric, Option } from "effect"
import { Blocking } from "effect-blocking"

const busy = (millis: number): void => {
  for (const end = performance.now() + millis; performance.now() < end;) { /* busy */ }
}

const logged = <A, E, R>(effect: Effect.Effect<A, E, R>) =>
  Effect.suspend(() => {
    const lines: Array<string> = []
    const logger = Logger.make(({ message }) => {
      lines.push(String(message))
    })
    return Effect.map(Effect.provide(effect, Logger.layer([logger])), (result) => ({ result, lines }))
  })

const recorded = Effect.map(Metric.snapshot, (metrics) => {
  const found = metrics.find((metric) => metric.id === "effect_blocking_in_place_millis")
  return found?.type === "Histogram" ? found.state.count : 0
})

describe("inPlace", () => {
  it.effect("I1: runs on the calling thread and records how long it blocked the event loop", () =>
    Effect.gen(function*() {
      const before = yield* recorded
      let ran = false
      const { lines, result } = yield* logged(Blocking.inPlace(() => {
        ran = true
        return 42
      }, { budget: "1 minute" }))
      assert.isTrue(ran)
      assert.strictEqual(result, 42)
      assert.deepStrictEqual(lines, [])
      assert.strictEqual(yield* recorded, before + 1)
    }))

  it.effect("I1: warns above its budget, with the call site", () =>
    Effect.gen(function*() {
      const { lines } = yield* logged(Blocking.inPlace(() => busy(2), { budget: "1 millis" }))
      assert.strictEqual(lines.length, 1)
      assert.match(lines[0]!, /blocked the event loop for \d+\.\d ms \(budget 1 ms\) at .*Blocking\.test\.ts:\d+/)
    }))

  it.effect("I1: a throw of the function is a defect, and its time is recorded", () =>
    Effect.gen(function*() {
      const before = yield* recorded
      const exit = yield* Effect.exit(Blocking.inPlace(() => {
        throw new Error("in place")
      }))
      assert.strictEqual((Cause.squash(Option.getOrThrow(Exit.getCause(exit))) as Error).message, "in place")
      assert.strictEqual(yield* recorded, before + 1)
    }))
})
