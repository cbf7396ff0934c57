/**
 * The metrics of pools, tagged with their keys. They are read from the schedulers when
 * someone takes a snapshot, so that nothing is done for them per task but to count.
 */
import * as Context from "effect/Context"
import { constVoid } from "effect/Function"
import * as Metric from "effect/Metric"
import { durationBoundaries, type HistogramState } from "../scheduler/histogram.ts"
import type { OutcomeKind } from "../scheduler/outcome.ts"
import type { Scheduler } from "../scheduler/scheduler.ts"

/** Registers the metrics of a pool, until the answer is called. */
export const register = (context: Context.Context<never>, pool: string, scheduler: Scheduler): () => void => {
  const series = seriesOf(context, pool)
  series.add(context, scheduler)
  return () => series.remove(scheduler)
}

/** By registry and key of the pool. */
const registries = new WeakMap<object, Map<string, Series>>()

const seriesOf = (context: Context.Context<never>, pool: string): Series => {
  const registry = Context.get(context, Metric.MetricRegistry)
  const attributes = Context.get(context, Metric.CurrentMetricAttributes)
  const id = JSON.stringify([pool, Object.entries(attributes).sort()])
  let known = registries.get(registry)
  if (known === undefined) registries.set(registry, known = new Map())
  let series = known.get(id)
  if (series === undefined) known.set(id, series = new Series(pool, () => known.delete(id)))
  return series
}

/** What of a scheduler is counted, and of those that have closed. */
interface Counted {
  readonly threads: { readonly started: number }
  readonly results: { readonly uncaughtErrors: number }
  readonly ladder: { readonly stops: Scheduler["ladder"]["stops"] }
  readonly outcomes: {
    readonly counts: Readonly<Record<OutcomeKind, number>>
    readonly queueWait: { readonly state: HistogramState }
    readonly runTime: { readonly state: HistogramState }
  }
}

/** As if all had been counted in one. */
const total = (counted: ReadonlyArray<Counted>): Counted => ({
  threads: { started: sum(counted, ({ threads }) => threads.started) },
  results: { uncaughtErrors: sum(counted, ({ results }) => results.uncaughtErrors) },
  ladder: { stops: sums(counted.map(({ ladder }) => ladder.stops)) },
  outcomes: {
    counts: sums(counted.map(({ outcomes }) => outcomes.counts)),
    queueWait: { state: merged(counted.map(({ outcomes }) => outcomes.queueWait.state)) },
    runTime: { state: merged(counted.map(({ outcomes }) => outcomes.runTime.state)) }
  }
})

/** Nobody but the scheduler changes them. */
const readOnly = { update: constVoid, modify: constVoid }

/**
 * The metrics of all pools of one key: there can be several at once, and a series has room
 * for one number. What those that have closed have counted stays in as long as one is open.
 */
class Series {
  private readonly open = new Set<Scheduler>()
  /** The sum of those that have closed; at most one. */
  private closed: ReadonlyArray<Counted> = []
  private registrations: ReadonlyArray<Metric.Registration> = []
  private readonly pool: string
  private readonly onEmpty: () => void

  constructor(pool: string, onEmpty: () => void) {
    this.pool = pool
    this.onEmpty = onEmpty
  }

  add(context: Context.Context<never>, scheduler: Scheduler): void {
    this.open.add(scheduler)
    if (this.registrations.length === 0) this.registrations = this.register(context, scheduler)
  }

  remove(scheduler: Scheduler): void {
    this.open.delete(scheduler)
    this.closed = [total([...this.closed, scheduler])]
    if (this.open.size > 0) return
    for (const registration of this.registrations) registration.remove()
    this.onEmpty()
  }

  private register(
    context: Context.Context<never>,
    { ladder, outcomes }: Scheduler
  ): ReadonlyArray<Metric.Registration> {
    const attributes = { pool: this.pool }

    const gauge = (
      name: string,
      description: string,
      value: (scheduler: Scheduler) => number
    ): Metric.Registration =>
      Metric.registerUnsafe(Metric.gauge(`effect_blocking_${name}`, { description, attributes }), context, {
        ...readOnly,
        get: () => ({ value: sum(this.open, value) })
      })
    const counter = (
      name: string,
      description: string,
      count: (counted: Counted) => number,
      more?: Record<string, string>
    ): Metric.Registration =>
      Metric.registerUnsafe(
        Metric.counter(`effect_blocking_${name}`, {
          description,
          attributes: { ...attributes, ...more },
          incremental: true
        }),
        context,
        { ...readOnly, get: () => ({ count: sum([...this.open, ...this.closed], count), incremental: true }) }
      )
    const histogram = (
      name: string,
      description: string,
      state: (counted: Counted) => HistogramState
    ): Metric.Registration =>
      Metric.registerUnsafe(
        Metric.histogram(`effect_blocking_${name}`, { description, attributes, boundaries: durationBoundaries }),
        context,
        {
          ...readOnly,
          get: () => merged([...this.open, ...this.closed].map(state)) as Metric.HistogramState
        }
      )

    return [
      gauge("threads", "Threads of the pool, the stuck not counted", ({ threads }) => threads.all.size),
      gauge("threads_idle", "Threads that wait for a task", ({ threads }) => threads.idleCount),
      gauge("threads_stuck", "Threads that could not be terminated", ({ threads }) => threads.stuck.size),
      gauge(
        "threads_waiting",
        "Threads whose task waits for an answer of the program",
        ({ threads }) => threads.waits.threads.size
      ),
      gauge("tasks_running", "Tasks that a thread has begun with", ({ threads }) => threads.busyCount),
      gauge("streams_open", "Streams whose body was left and has not ended", ({ coroutines }) => coroutines.open),
      gauge("queue_depth", "Tasks that wait for a thread", (scheduler) => scheduler.queueDepth),
      gauge("submitters_suspended", "Submitters that wait for room in the queue", (scheduler) => scheduler.suspended),
      counter("threads_started_total", "Threads that were started", ({ threads }) => threads.started),
      counter(
        "stray_errors_total",
        "Errors that a task left behind and nobody caught",
        ({ results }) => results.uncaughtErrors
      ),
      ...Object.keys(ladder.stops).map((step) =>
        counter(
          "stops_total",
          "Running tasks that were asked to stop, whose threads were terminated, that were abandoned",
          ({ ladder }) => ladder.stops[step as keyof typeof ladder.stops],
          { step }
        )
      ),
      ...(Object.keys(outcomes.counts) as Array<OutcomeKind>).map((outcome) =>
        counter("tasks_total", "Tasks that have ended, by outcome", ({ outcomes }) => outcomes.counts[outcome], {
          outcome
        })
      ),
      histogram(
        "queue_wait_millis",
        "From the submission of a task to the start of its body",
        ({ outcomes }) => outcomes.queueWait.state
      ),
      histogram(
        "run_time_millis",
        "From the start of a body to its end",
        ({ outcomes }) => outcomes.runTime.state
      )
    ]
  }
}

const sum = <A>(parts: Iterable<A>, value: (part: A) => number): number => {
  let total = 0
  for (const part of parts) total += value(part)
  return total
}

const sums = <Key extends string>(parts: ReadonlyArray<Readonly<Record<Key, number>>>): Record<Key, number> =>
  Object.fromEntries(
    Object.keys(parts[0]!).map((key) => [key, sum(parts, (part) => part[key as Key])])
  ) as Record<Key, number>

const merged = (states: ReadonlyArray<HistogramState>): HistogramState => {
  const filled = states.filter(({ count }) => count > 0)
  if (filled.length <= 1) return filled[0] ?? states[0]!
  return {
    buckets: filled[0]!.buckets.map(([boundary], i) => [
      boundary,
      filled.reduce((total, { buckets }) => total + buckets[i]![1], 0)
    ]),
    count: filled.reduce((total, { count }) => total + count, 0),
    min: Math.min(...filled.map(({ min }) => min)),
    max: Math.max(...filled.map(({ max }) => max)),
    sum: filled.reduce((total, { sum }) => total + sum, 0)
  }
}
