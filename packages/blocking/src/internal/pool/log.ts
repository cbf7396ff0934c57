/** What a pool writes to the log. */
import * as Cause from "effect/Cause"
import * as Effect from "effect/Effect"
import type { ThreadHost } from "../../ThreadHost.ts"
import type { SchedulerEvent } from "../scheduler/events.ts"
import { describeExit } from "../scheduler/outcome.ts"
import type { ShutdownReport } from "../scheduler/shutdown.ts"
import { describe } from "../wire/cloneable.ts"

export const logEvent = (event: SchedulerEvent, host: ThreadHost): Effect.Effect<void> => {
  switch (event._tag) {
    case "UncaughtError":
      return Effect.logError(
        `Nobody caught an error on pool thread ${event.threadId}; the task that last ran there is ` +
          (event.task === undefined ? "none" : `"${event.task}"`),
        event.error
      )
    case "UncaughtErrors":
      return Effect.logError(
        `Nobody caught ${event.more} more errors on pool thread ${event.threadId}: only the first of each second are logged`
      )
    case "UnreadPanic":
      return Effect.logWarning("A task panicked, and nobody has read it yet", Cause.fail(event.error))
    case "ListenerFailed":
      return Effect.logError(
        `Someone who was told of the end of task "${event.task}" threw: a tracer, or an observer of a fiber`,
        event.error
      )
    case "PreloadFailed":
      return Effect.logWarning(`Could not preload ${event.module} in a pool thread`, event.cause)
    case "StartFailed":
      return Effect.logWarning(
        `Could not start a pool thread, and will try again (attempt ${event.attempt}): ${describe(event.cause)}`
      )
    case "NoThreads":
      return Effect.logError(
        `No pool thread can be started (${event.attempts === 1 ? "1 attempt" : `${event.attempts} attempts`}): ` +
          describe(event.cause)
      )
    case "ReleaseCut":
      return Effect.logWarning(
        `Pool thread ${event.threadId} is terminated before its Task.threadLocal values are released: the shutdown of the pool ` +
          "is over, or so many threads are in long releases that tasks wait"
      )
    case "ThreadLost":
      return Effect.logWarning(
        `Pool thread ${event.threadId} ended while it was idle, with ${describeExit(event.exit)}`,
        ...(event.exit.cause === undefined ? [] : [event.exit.cause])
      )
    case "ThreadWedged":
      return Effect.logWarning(
        `Pool thread ${event.threadId} did not answer for ${event.millis} ms and is terminated: ` +
          "a module that does not finish loading, or a task that left synchronous work behind"
      )
    case "ThreadAbandoned": {
      const more = host.aboutAbandoned?.()
      return Effect.logWarning(
        `Pool thread ${event.threadId} could not be terminated and was abandoned` +
          (event.task === undefined ? "" : `; it runs task "${event.task}"`) +
          (more === undefined ? "" : `. ${more}`)
      )
    }
    case "Stop":
      return Effect.logDebug(
        event.step === "Requested"
          ? `Task "${event.task}" on pool thread ${event.threadId} is asked to stop (${event.by})`
          : `Pool thread ${event.threadId} is terminated: task "${event.task}" was asked to stop and did not (${event.by})`
      )
    case "HeldUp":
      return Effect.logWarning(
        `Task "${event.task}" waits, although the pool's threads (${event.threads}) are idle: each of them keeps a stream ` +
          "open that nobody pulls, and what can wait for callbacks or input needs a thread without one. If the consumer of " +
          "those streams waits for this task, neither ever goes on: raise maxThreads, or end a stream before"
      )
    case "StuckLimit":
      return Effect.logError(
        `${event.stuck} threads of the pool are stuck in native code: it goes on with at most ${event.places} ` +
          "until one of them has ended"
      )
  }
}

/** Says what a shutdown had to cut short; nothing, if that is nothing. */
export const logShutdown = ({ abandoned, cancelled, terminated }: ShutdownReport): Effect.Effect<void> =>
  cancelled === 0 && terminated.length === 0 && abandoned.length === 0
    ? Effect.void
    : Effect.logWarning(
      "Pool shut down before all of its tasks had ended: " +
        `${cancelled} cancelled in the queue, ${terminated.length} terminated${listed(terminated)}, ` +
        `${abandoned.length} abandoned${listed(abandoned)}`
    )

const listed = (tasks: ReadonlyArray<string>): string => tasks.length === 0 ? "" : ` (${tasks.join(", ")})`
