/** `Blocking.events` and `Blocking.pools`: the interface for tools that monitor pools. */
import * as Arr from "effect/Array"
import * as Context from "effect/Context"
import * as Effect from "effect/Effect"
import * as Stream from "effect/Stream"
import type { Pool, TaskEvent } from "../../Blocking.ts"
import type { TaskEventBuffer, TaskEvents } from "../scheduler/taskEvents.ts"

/**
 * A stream of the events of a pool's tasks. Each run of the stream has its own buffer, and earlier events are
 * not kept.
 */
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

/** The open pools of the process. A reference, so that a test can have its own set. */
export const OpenPools: Context.Reference<Set<Pool>> = Context.Reference("effect-blocking/OpenPools", {
  defaultValue: () => new Set<Pool>()
})
