/**
 * A pool's metrics, tagged with its key. They are read from the scheduler when someone
 * takes a snapshot, so that nothing is done for them per task but to count.
 */
import type * as Context from "effect/Context"
import * as Effect from "effect/Effect"
import { constVoid } from "effect/Function"
import * as Metric from "effect/Metric"
import type * as Scope from "effect/Scope"
import { durationBoundaries } from "../scheduler/histogram.ts"
import type { OutcomeKind } from "../scheduler/outcome.ts"
import type { Scheduler } from "../scheduler/scheduler.ts"

/** Registers the metrics of a pool for as long as the scope is open. */
export const register = (pool: string, scheduler: Scheduler): Effect.Effect<void, never, Scope.Scope> =>
  Effect.asVoid(Effect.acquireRelease(
    Effect.map(Effect.context<never>(), (context) => registerAll(context, pool, scheduler)),
    (registrations) =>
      Effect.sync(() => {
        for (const registration of registrations) registration.remove()
      })
  ))

/** Nobody but the scheduler changes them. */
const readOnly = { update: constVoid, modify: constVoid }

const registerAll = (
  context: Context.Context<never>,
  pool: string,
  scheduler: Scheduler
): ReadonlyArray<Metric.Registration> => {
  const { threads } = scheduler
  const attributes = { pool }

  const gauge = (name: string, description: string, value: () => number): Metric.Registration =>
    Metric.registerUnsafe(Metric.gauge(`effect_blocking_${name}`, { description, attributes }), context, {
      ...readOnly,
      get: () => ({ value: value() })
    })
  const counter = (
    name: string,
    description: string,
    count: () => number,
    more?: Record<string, string>
  ): Metric.Registration =>
    Metric.registerUnsafe(
      Metric.counter(`effect_blocking_${name}`, {
        description,
        attributes: { ...attributes, ...more },
        incremental: true
      }),
      context,
      { ...readOnly, get: () => ({ count: count(), incremental: true }) }
    )
  const histogram = (name: string, description: string, state: () => Metric.HistogramState): Metric.Registration =>
    Metric.registerUnsafe(
      Metric.histogram(`effect_blocking_${name}`, { description, attributes, boundaries: durationBoundaries }),
      context,
      { ...readOnly, get: state }
    )

  return [
    gauge("threads", "Threads of the pool, the stuck not counted", () => threads.all.size),
    gauge("threads_idle", "Threads that wait for a task", () => threads.idleCount),
    gauge("threads_stuck", "Threads that could not be terminated", () => threads.stuck.size),
    gauge("tasks_running", "Tasks that a thread has begun with", () => scheduler.runningCount),
    gauge("queue_depth", "Tasks that wait for a thread", () => scheduler.queueDepth),
    gauge("submitters_suspended", "Submitters that wait for room in the queue", () => scheduler.suspended),
    counter("threads_started_total", "Threads that were started", () => threads.started),
    counter(
      "stray_errors_total",
      "Errors that a task left behind and nobody caught",
      () => scheduler.results.uncaughtErrors
    ),
    ...Object.keys(scheduler.stops).map((step) =>
      counter(
        "stops_total",
        "Running tasks that were asked to stop, whose threads were terminated, that were abandoned",
        () => scheduler.stops[step as keyof typeof scheduler.stops],
        { step }
      )
    ),
    ...(Object.keys(scheduler.outcomes.counts) as Array<OutcomeKind>).map((outcome) =>
      counter("tasks_total", "Tasks that have ended, by outcome", () => scheduler.outcomes.counts[outcome], { outcome })
    ),
    histogram(
      "queue_wait_millis",
      "From the submission of a task to the start of its body",
      () => scheduler.outcomes.queueWait.state as Metric.HistogramState
    ),
    histogram(
      "run_time_millis",
      "From the start of a body to its end",
      () => scheduler.outcomes.runTime.state as Metric.HistogramState
    )
  ]
}
