import { Effect, Logger } from "effect"
import * as bodies from "./bodies.mjs"
import { queue, storage } from "./effect-queue.mjs"

const { folder, lockMillis } = JSON.parse(process.argv[2])

const program = Effect.gen(function*() {
  const { take } = yield* queue
  process.send("ready")
  yield* Effect.forever(take(({ file, millis }) => Effect.sync(() => bodies.noted(file, millis))))
})
Effect.runFork(program.pipe(Effect.provide(storage(folder, lockMillis)), Effect.provide(Logger.layer([]))))
