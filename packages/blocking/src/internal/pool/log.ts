/** The log messages of a pool. */
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
        `Uncaught error on pool thread ${event.threadId}` +
          (event.task === undefined ? ", which has run no task" : `; the last task there was "${event.task}"`),
        event.error
      )
    case "UncaughtErrors":
      return Effect.logError(
        `${event.more} more uncaught errors on pool thread ${event.threadId}: only the first of each second are logged`
      )
    case "UnreadPanic":
      return Effect.logWarning("A task panicked, and its result has not been read yet", Cause.fail(event.error))
    case "ListenerFailed":
      return Effect.logError(
        `Task "${event.task}" ended, and one of its listeners threw: a tracer or a fiber observer`,
        event.error
      )
    case "PreloadFailed":
      return Effect.logWarning(`Could not preload ${event.module} in a pool thread`, event.cause)
    case "StartFailed":
      return Effect.logWarning(
        `Could not start a pool thread and will retry (attempt ${event.attempt}): ${describe(event.cause)}`
      )
    case "NoThreads":
      return Effect.logError(
        `No pool thread can be started (${event.attempts === 1 ? "1 attempt" : `${event.attempts} attempts`}): ` +
          describe(event.cause)
      )
    case "ReleaseCut":
      return Effect.logWarning(
        `Pool thread ${event.threadId} was terminated before it released its Task.threadLocal values: ` +
          "the shutdown timed out, or queued tasks needed its place"
      )
    case "ThreadLost":
      return Effect.logWarning(
        `Pool thread ${event.threadId} ended while it was idle, with ${describeExit(event.exit)}`,
        ...(event.exit.cause === undefined ? [] : [event.exit.cause])
      )
    case "ThreadWedged":
      return Effect.logWarning(
        `Pool thread ${event.threadId} was wedged for ${event.millis} ms and was terminated: ` +
          "a module did not finish loading, or a task left synchronous work behind"
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
          ? `Task "${event.task}" on pool thread ${event.threadId} was asked to stop (${event.by})`
          : `Task "${event.task}" was asked to stop and did not: pool thread ${event.threadId} is terminated (${event.by})`
      )
    case "HeldUp":
      return Effect.logWarning(
        `Task "${event.task}" waits although the pool's threads (${event.threads}) are idle: each has an open stream that ` +
          "is not pulled, and a task that can wait for callbacks or input needs a thread without one. If the consumer of " +
          "those streams waits for this task, both hang: raise maxThreads, or end a stream first"
      )
    case "StuckLimit":
      return Effect.logError(
        `${event.stuck} threads of the pool are stuck in native code: the pool continues with at most ${event.places} ` +
          "threads until one of them ends"
      )
  }
}

/** Logs the tasks that a shutdown had to cancel, terminate or abandon, if any. */
export const logShutdown = ({ abandoned, cancelled, terminated }: ShutdownReport): Effect.Effect<void> =>
  cancelled === 0 && terminated.length === 0 && abandoned.length === 0
    ? Effect.void
    : Effect.logWarning(
      "Pool shut down before all of its tasks had ended: " +
        `${cancelled} cancelled in the queue, ${terminated.length} terminated${listed(terminated)}, ` +
        `${abandoned.length} abandoned${listed(abandoned)}`
    )

const listed = (tasks: ReadonlyArray<string>): string => tasks.length === 0 ? "" : ` (${tasks.join(", ")})`
