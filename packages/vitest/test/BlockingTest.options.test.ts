import { BlockingTest } from "@effect-blocking/vitest"
import { assert, describe, it } from "@effect/vitest"
import { Effect } from "effect"
import { Blocking } from "effect-blocking"
import { dies } from "./utils/effects.ts"

describe("options", () => {
  it.effect("an option that is out of range is a defect", () =>
    Effect.gen(function*() {
      const defects = yield* dies(Effect.provide(Blocking.stats, BlockingTest.layer({ maxThreads: 0 })))
      assert.deepStrictEqual(defects, ["BlockingTest: maxThreads must be an integer of at least 1, not 0"])
    }))

  const misnamed: ReadonlyArray<readonly [options: unknown, message: string]> = [
    [{ maxthreads: 2 }, "BlockingTest has no option \"maxthreads\"; did you mean \"maxThreads\"?"],
    [null, "BlockingTest takes its options as an object, { maxThreads: … }, not null"]
  ]
  it.effect.each(misnamed)(
    "options that no pool of a test has are a defect: %o",
    ([options, message]) =>
      Effect.gen(function*() {
        const layer = BlockingTest.layer(options as BlockingTest.Options)
        assert.deepStrictEqual(yield* dies(Effect.provide(Blocking.stats, layer)), [message])
      })
  )
})
