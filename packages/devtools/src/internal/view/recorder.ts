/** Counts the events of one pool since recording began, within bounds. */
import type { PoolStats, TaskEnded, TaskEvent } from "effect-blocking/Blocking"
import { isJoinError } from "effect-blocking/JoinError"
import * as Cause from "effect/Cause"
import type { Bucket, FailureView, PoolView, Sample, SlowRun, StopView, TaskView } from "./snapshot.ts"

/** All arbitrary: a page shows this many, and a snapshot stays small. */
const maxSamples = 120
const maxTasks = 100
const maxSlowest = 15
const maxFailures = 30
const maxStops = 50
const maxMessage = 500
const maxDetail = 4000

/** Upper bounds in milliseconds, each about three times the previous one. */
const boundaries = [0.1, 0.3, 1, 3, 10, 30, 100, 300, 1000, 3000, 10_000]

/** Whether failures are shown with their messages and stacks, or by name only. */
export type Failures = "messages" | "names"

interface TaskCount {
  readonly module: string
  ended: number
  failed: number
  runs: number
  totalMillis: number
  maxMillis: number
}

interface Failed {
  readonly event: TaskEnded
  readonly at: number
  view: FailureView | undefined
}

export class Recorder {
  private readonly samples: Array<Sample> = []
  private endedInSample = 0
  private readonly queueWait = counts()
  private readonly runTime = counts()
  private readonly tasks = new Map<string, TaskCount>()
  private slowest: Array<SlowRun> = []
  private readonly failed: Array<Failed> = []
  private readonly stops: Array<StopView> = []
  private dropped = 0
  readonly id: number
  private readonly failures: Failures

  constructor(id: number, failures: Failures) {
    this.id = id
    this.failures = failures
  }

  /** `at`: milliseconds since 1970. */
  onEvent(event: TaskEvent, at: number): void {
    switch (event._tag) {
      case "Queued":
      case "Started":
        return
      case "Dropped":
        this.dropped += event.count
        return
      case "Ended":
        return this.onEnded(event, at)
      default: {
        const { _tag: step, by, id, task, threadId } = event
        keep(this.stops, { at, task, id, threadId, step, by }, maxStops)
      }
    }
  }

  private onEnded(event: TaskEnded, at: number): void {
    const { id, outcome, queueWaitMillis, runMillis, task } = event
    this.endedInSample++
    const count = this.countOf(event)
    count.ended++
    if (outcome !== "Succeeded" && outcome !== "Cancelled") {
      count.failed++
      // Formatted only when it is shown: there can be many.
      keep(this.failed, { event, at, view: undefined }, maxFailures)
    }
    if (runMillis === undefined) return
    add(this.queueWait, queueWaitMillis)
    add(this.runTime, runMillis)
    count.runs++
    count.totalMillis += runMillis
    count.maxMillis = Math.max(count.maxMillis, runMillis)
    const last = this.slowest.at(-1)
    if (this.slowest.length < maxSlowest || last!.runMillis < runMillis) {
      this.slowest = [...this.slowest, { task, id, at, runMillis }]
        .sort((a, b) => b.runMillis - a.runMillis)
        .slice(0, maxSlowest)
    }
  }

  private countOf({ module, task }: TaskEnded): TaskCount {
    const key = `${module} ${task}`
    const known = this.tasks.get(key)
    if (known !== undefined) return known
    const count = { module, ended: 0, failed: 0, runs: 0, totalMillis: 0, maxMillis: 0 }
    // The task that was seen first is discarded first.
    if (this.tasks.size >= maxTasks) this.tasks.delete(this.tasks.keys().next().value!)
    this.tasks.set(key, count)
    return count
  }

  /** Called once a second. */
  sample({ queueDepth, running }: PoolStats): void {
    this.samples.push({ queueDepth, running: running.length, ended: this.endedInSample })
    if (this.samples.length > maxSamples) this.samples.shift()
    this.endedInSample = 0
  }

  view(stats: PoolStats): PoolView {
    const { threadsStarted: _, stops: __, running, ...counters } = stats
    return {
      ...counters,
      id: this.id,
      running: running.map(({ id, runningMillis, task, threadId }) => ({ id, task, threadId, runningMillis })),
      history: this.samples,
      queueWait: buckets(this.queueWait),
      runTime: buckets(this.runTime),
      tasks: Array.from(this.tasks, ([key, count]) => taskView(key, count)).sort((a, b) => b.ended - a.ended),
      slowest: this.slowest,
      failures: this.failed.map((failed) => failed.view ??= this.failureView(failed)),
      stops: this.stops,
      dropped: this.dropped
    }
  }

  private failureView({ at, event: { error, id, outcome, task } }: Failed): FailureView {
    const about = { at, task, id, outcome }
    if (this.failures === "names") return { ...about, message: nameOf(error), detail: "" }
    const message = isJoinError(error) ? error.reason.message : error instanceof Error ? error.message : nameOf(error)
    // The outcome is shown beside it.
    const prefix = `${outcome.toLowerCase()}: `
    return {
      ...about,
      message: message.slice(message.startsWith(prefix) ? prefix.length : 0).slice(0, maxMessage),
      detail: Cause.pretty(Cause.fail(error)).slice(0, maxDetail)
    }
  }
}

const nameOf = (error: unknown): string => {
  if (isJoinError(error)) return error.reason._tag
  if (typeof error !== "object" || error === null) return typeof error
  if ("_tag" in error && typeof error._tag === "string") return error._tag
  return error instanceof Error ? error.name : "object"
}

const taskView = (key: string, { ended, failed, maxMillis, module, runs, totalMillis }: TaskCount): TaskView => ({
  name: key.slice(module.length + 1),
  module,
  ended,
  failed,
  meanMillis: runs === 0 ? 0 : totalMillis / runs,
  maxMillis
})

/** Adds to the front, within bounds. */
const keep = <A>(list: Array<A>, value: A, max: number): void => {
  list.unshift(value)
  if (list.length > max) list.pop()
}

const counts = (): Array<number> => new Array<number>(boundaries.length + 1).fill(0)

const add = (counts: Array<number>, millis: number): void => {
  const at = boundaries.findIndex((boundary) => millis < boundary)
  counts[at < 0 ? boundaries.length : at]!++
}

const buckets = (counts: ReadonlyArray<number>): ReadonlyArray<Bucket> =>
  counts.map((count, i) => ({ belowMillis: boundaries[i], count }))
