/** A service that hashes passwords off the event loop, and refuses calls when it is too busy. */
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
            // After a full queue or a slow hash, the caller can try again. Any other reason is a bug.
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
