/** The contract on real threads and on processes. */
import { NodeBlocking } from "@effect-blocking/platform-node"
import { Effect, Exit, Schedule, Scope } from "effect"
import { type Blocking, Task } from "effect-blocking"
import { existsSync, writeFileSync } from "node:fs"
import { join } from "node:path"
import type { Backend } from "./backend.ts"
import { callbackContract } from "./callbacks.ts"
import { inputContract } from "./inputs.ts"
import { parallelContract } from "./parallel.ts"
import { parallelProperty } from "./parallelProperty.ts"
import { streamContract } from "./streams.ts"
import { contract } from "./suite.ts"
import * as tasks from "./tasks.ts"

/** The scope of each pool. */
const scopes = new WeakMap<Blocking.Pool, Scope.Closeable>()

const backend = (isolation: "thread" | "process"): Backend => ({
  name: isolation === "thread" ? "threads" : "processes",
  real: true,
  makePool: (options) =>
    Effect.gen(function*() {
      const scope = yield* Scope.fork(yield* Effect.scope)
      const pool = yield* Scope.provide(NodeBlocking.make("contract", { ...options, isolation }), scope)
      scopes.set(pool, scope)
      return pool
    }).pipe(Effect.orDie),
  close: (pool) => Scope.close(scopes.get(pool)!, Exit.void),
  kill: (pool) => Effect.ignore(pool.run(tasks.exit, 3)),
  hold: (pool, directory, { polite, ...options }) =>
    Effect.gen(function*() {
      const [started, release] = [join(directory, "started"), join(directory, "release")]
      const handle = yield* pool.spawnDetached(Task.with(tasks.hold, options), started, release, polite)
      yield* Effect.repeat(Effect.sync(() => existsSync(started)), {
        until: (exists) => exists,
        schedule: Schedule.spaced("2 millis")
      })
      return { handle, release: Effect.sync(() => writeFileSync(release, "")) }
    })
})

for (const isolation of ["thread", "process"] as const) {
  contract(backend(isolation))
  streamContract(backend(isolation))
  inputContract(backend(isolation))
  callbackContract(backend(isolation))
  parallelContract(backend(isolation))
  parallelProperty(backend(isolation))
}
