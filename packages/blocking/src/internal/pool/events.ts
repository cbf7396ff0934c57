/** `Blocking.events` and `Blocking.pools`: what whoever looks at pools from outside is given. */
import * as Arr from "effect/Array"
import * as Context from "effect/Context"
import * as Effect from "effect/Effect"
import * as Stream from "effect/Stream"
import type { Pool, TaskEvent } from "../../Blocking.ts"
import type { TaskEventBuffer, TaskEvents } from "../scheduler/taskEvents.ts"

/** A stream of what becomes of the tasks of a pool. Each run of it listens for itself, and nothing is kept before. */
export const eventsOf = (events: TaskEvents): Stream.Stream<TaskEvent> =>
  Stream.scoped(Stream.fromPull(
    Effect.map(
      Effect.acquireRelease(
        Effect.sync(() => events.listen()),
        (buffer) => Effect.sync(() => events.forget(buffer))
      ),
      (buffer) => Effect.flatMap(any(buffer), () => taken(buffer))
    )
  ))

const any = (buffer: TaskEventBuffer): Effect.Effect<void> =>
  Effect.callback((resume) => {
    const forget = buffer.onAny(() => resume(Effect.void))
    return Effect.sync(forget)
  })

const taken = (buffer: TaskEventBuffer): Effect.Effect<Arr.NonEmptyReadonlyArray<TaskEvent>> =>
  Effect.suspend(() => {
    const events = buffer.take()
    return Arr.isReadonlyArrayNonEmpty(events) ? Effect.succeed(events) : Effect.never
  })

/** The pools that are open. A reference, so that a test can have its own; otherwise there is one set for the process. */
export const OpenPools: Context.Reference<Set<Pool>> = Context.Reference("effect-blocking/OpenPools", {
  defaultValue: () => new Set<Pool>()
})
