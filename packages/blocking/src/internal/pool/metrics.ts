/**
 * The metrics of pools, tagged with the pool's key. They are read from the schedulers when a snapshot is
 * taken, so a task costs only its counters.
 */
import * as Context from "effect/Context"
import { constVoid } from "effect/Function"
import * as Metric from "effect/Metric"
import { durationBoundaries, type HistogramState } from "../scheduler/histogram.ts"
import type { OutcomeKind } from "../scheduler/outcome.ts"
import type { Scheduler } from "../scheduler/scheduler.ts"

/** Registers the metrics of a pool. The returned function unregisters them. */
export const register = (context: Context.Context<never>, pool: string, scheduler: Scheduler): () => void => {
  const series = seriesOf(context, pool)
  series.add(context, scheduler)
  return () => series.remove(scheduler)
}

/** Series by registry, then by key and attributes of the pool. */
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

/** The counters of a scheduler, or the totals of closed schedulers. */
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

/** The sum of several counters. */
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

/** Only the scheduler changes these metrics. */
const readOnly = { update: constVoid, modify: constVoid }

/**
 * The metrics of all pools with one key. Several can be open at once, and a series holds only one number, so
 * their values are summed. Counts of closed pools remain included while a pool with this key is open.
 */
class Series {
  private readonly open = new Set<Scheduler>()
  /** The sum of the closed schedulers; at most one entry. */
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
      gauge("threads", "Threads of the pool, without stuck threads", ({ threads }) => threads.all.size),
      gauge("threads_idle", "Threads that wait for a task", ({ threads }) => threads.idleCount),
      gauge("threads_stuck", "Threads that could not be terminated", ({ threads }) => threads.stuck.size),
      gauge(
        "threads_waiting",
        "Threads whose task waits for an answer from the program",
        ({ threads }) => threads.waits.threads.size
      ),
      gauge("tasks_running", "Tasks that have started on a thread", ({ threads }) => threads.busyCount),
      gauge("streams_open", "Streams whose body is suspended and has not ended", ({ coroutines }) => coroutines.open),
      gauge("queue_depth", "Tasks that wait for a thread", (scheduler) => scheduler.queueDepth),
      gauge("submitters_suspended", "Submitters that wait for room in the queue", (scheduler) => scheduler.suspended),
      counter("threads_started_total", "Threads started", ({ threads }) => threads.started),
      counter(
        "uncaught_errors_total",
        "Uncaught errors on pool threads",
        ({ results }) => results.uncaughtErrors
      ),
      ...Object.keys(ladder.stops).map((step) =>
        counter(
          "stops_total",
          "Steps of stopping running tasks: requested, thread terminated, thread abandoned",
          ({ ladder }) => ladder.stops[step as keyof typeof ladder.stops],
          { step }
        )
      ),
      ...(Object.keys(outcomes.counts) as Array<OutcomeKind>).map((outcome) =>
        counter("tasks_total", "Ended tasks, by outcome", ({ outcomes }) => outcomes.counts[outcome], {
          outcome
        })
      ),
      histogram(
        "queue_wait_millis",
        "Time from the submission of a task to the start of its body, in milliseconds",
        ({ outcomes }) => outcomes.queueWait.state
      ),
      histogram(
        "run_time_millis",
        "Time from the start of a body to its end, in milliseconds",
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
