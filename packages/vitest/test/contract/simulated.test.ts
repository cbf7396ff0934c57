/** The contract without a thread, on the live clock as the others. */
import { BlockingTest } from "@effect-blocking/vitest"
import { Context, Effect, Layer } from "effect"
import { Blocking, Task } from "effect-blocking"
import { writeFileSync } from "node:fs"
import { join } from "node:path"
import { contract } from "./suite.ts"
import * as tasks from "./tasks.ts"

/** The control of each pool. */
const controls = new WeakMap<Blocking.Pool, Context.Context<BlockingTest.BlockingTest>>()

contract({
  name: "BlockingTest",
  makePool: (options) =>
    Effect.map(Layer.build(BlockingTest.layer(options)), (context) => {
      const pool = Context.get(context, Blocking.Blocking)
      controls.set(pool, context)
      return pool
    }),
  hold: (pool, directory, { polite, ...options }) =>
    Effect.gen(function*() {
      const [started, release] = [join(directory, "started"), join(directory, "release")]
      const held = yield* Effect.provide(BlockingTest.hold(tasks.hold), controls.get(pool)!)
      const handle = yield* pool.spawnDetached(Task.with(tasks.hold, options), started, release, polite)
      yield* held.started
      return {
        handle,
        release: Effect.andThen(Effect.sync(() => writeFileSync(release, "")), held.release)
      }
    }),
  close: (pool) => Effect.provide(BlockingTest.close(), controls.get(pool)!)
})
