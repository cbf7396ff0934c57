/** A service that hashes passwords off the event loop, and says no when there is too much to do. */
import { Context, Effect, Layer, Schema } from "effect"
import { Blocking } from "effect-blocking"
import { hash } from "./hash.ts"

export class TooBusy extends Schema.TaggedError<TooBusy>("app/TooBusy")("TooBusy", {}) {}

export class Passwords extends Context.Service<Passwords, {
  readonly verify: (password: string, salt: string, digest: string) => Effect.Effect<boolean, TooBusy>
}>()("app/Passwords") {
  static readonly layer = Layer.effect(
    Passwords,
    Effect.gen(function*() {
      const pool = yield* Blocking.Blocking
      return {
        verify: (password, salt, digest) =>
          pool.run(hash, password, salt).pipe(
            Effect.map((actual) => actual === digest),
            // A full queue, or a hash that takes too long: the caller can come back. The rest is a bug.
            Effect.catchReasons("JoinError", {
              QueueFull: () => Effect.fail(new TooBusy()),
              TimedOut: () => Effect.fail(new TooBusy())
            }),
            Effect.catchTag("JoinError", Effect.die)
          )
      }
    })
  )
}
