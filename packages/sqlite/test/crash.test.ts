/** Q9: a program is killed while it writes. `npm run soak:sqlite -- --kills 300` repeats it. */
import { assert, describe, it } from "@effect/vitest"
import { Effect } from "effect"
import { join } from "node:path"
import { crash } from "./utils/crash.ts"
import { folder } from "./utils/databases.ts"

/** The same delays in each run. */
const seeded = (seed: number) => () => {
  seed = (seed * 1_103_515_245 + 12_345) % 2 ** 31
  return seed / 2 ** 31
}

describe("kill -9", () => {
  for (const isolation of ["thread", "process"] as const) {
    it.live(`Q9 at any moment: every acknowledged write is there, and complete (${isolation})`, () =>
      Effect.gen(function*() {
        const filename = join(yield* folder, "crash.db")
        const { acknowledged, integrity, lost, torn } = yield* Effect.promise(() =>
          crash(filename, isolation, 5, seeded(7))
        )
        assert.deepStrictEqual({ lost, torn, integrity }, { lost: [], torn: [], integrity: "ok" })
        assert.isAbove(acknowledged, 50)
      }).pipe(Effect.scoped))
  }
})
