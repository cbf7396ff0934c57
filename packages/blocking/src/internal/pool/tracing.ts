/** Spans for the tasks of traced fibers. Untraced fibers cost nothing. */
import * as Clock from "effect/Clock"
import * as Effect from "effect/Effect"
import * as Fiber from "effect/Fiber"
import type * as Tracer from "effect/Tracer"
import type { TaskOptions } from "../../Task.ts"
import type { Run, RunExit } from "../scheduler/run.ts"

/** A span that starts with the submission of its task. */
export interface TaskSpan {
  readonly span: Tracer.Span
  /** Ends the span with the exit of the run. */
  readonly end: (run: Run, exit: RunExit) => void
}

interface TracedTask {
  readonly name: string
  readonly module: string
  readonly options: TaskOptions
}

/** Begins a child of the current fiber's span; `undefined` if the fiber has no span. */
export const beginSpan = (pool: string, task: TracedTask): TaskSpan | undefined => {
  const fiber = Fiber.getCurrent()
  if (fiber === undefined || fiber.cache.span === undefined) return undefined
  const { attributes } = task.options
  // `makeSpan` handles sampling, links and a disabled tracer.
  const span: Tracer.Span = Effect.runSyncWith(fiber.context)(Effect.makeSpan(`task ${task.name}`, {
    kind: "internal",
    attributes: {
      ...attributes,
      "blocking.pool": pool,
      "blocking.task": task.name,
      "blocking.module": task.module
    }
  }))
  const clock = fiber.getRef(Clock.Clock)
  return {
    span,
    end: (run, exit) => {
      span.attribute("blocking.task_id", run.id)
      if (run.thread !== undefined) span.attribute("blocking.thread_id", run.thread.thread.threadId)
      const { endedAt, startedAt } = run.detailed()
      if (startedAt > 0) {
        span.attribute("blocking.queue_wait_millis", startedAt - run.submittedAt)
        span.attribute("blocking.run_time_millis", endedAt - startedAt)
      }
      span.end(clock.currentTimeNanosUnsafe(), exit)
    }
  }
}

/** Ends the task's span, if any, before its outcome is delivered. */
export const traced = (span: TaskSpan | undefined, onEnd: (exit: RunExit) => void): (exit: RunExit, run: Run) => void =>
  span === undefined ? onEnd : (exit, run) => {
    try {
      span.end(run, exit)
    } finally {
      // The fiber must resume even if the tracer throws.
      onEnd(exit)
    }
  }
