/** The contract on simulated threads, with the live clock like the other backends. */
import { BlockingTest } from "@effect-blocking/vitest"
import { Context, Effect, Fiber, Layer } from "effect"
import { Blocking, Task } from "effect-blocking"
import { writeFileSync } from "node:fs"
import { join } from "node:path"
import type { Backend } from "./backend.ts"
import { callbackContract } from "./callbacks.ts"
import { inputContract } from "./inputs.ts"
import { parallelContract } from "./parallel.ts"
import { parallelProperty } from "./parallelProperty.ts"
import { streamContract } from "./streams.ts"
import { contract } from "./suite.ts"
import * as tasks from "./tasks.ts"

/** The `BlockingTest` service of each pool. */
const controls = new WeakMap<Blocking.Pool, Context.Context<BlockingTest.BlockingTest>>()

const backend: Backend = {
  name: "BlockingTest",
  real: false,
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
  kill: (pool) =>
    Effect.gen(function*() {
      const held = yield* BlockingTest.hold(tasks.exit)
      const run = yield* Effect.forkChild(Effect.ignore(pool.run(tasks.exit, 3)))
      yield* held.started
      yield* BlockingTest.killThread(tasks.exit)
      yield* Fiber.join(run)
    }).pipe((kill) => Effect.provide(kill, controls.get(pool)!)),
  close: (pool) => Effect.provide(BlockingTest.close(), controls.get(pool)!)
}

contract(backend)
streamContract(backend)
inputContract(backend)
callbackContract(backend)
parallelContract(backend)
parallelProperty(backend)
