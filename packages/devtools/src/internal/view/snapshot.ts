/** The data that the program sends to the page and to `top`. Both import this file; it imports nothing. */

export interface Snapshot {
  /** Milliseconds since 1970. */
  readonly at: number
  readonly program: {
    readonly name: string
    readonly pid: number
    readonly node: string
    readonly uptimeMillis: number
    readonly memoryBytes: number
    /** The share of the time since the previous snapshot in which the event loop was busy, from 0 to 1. */
    readonly eventLoop: number
  }
  /** Whether a watchdog reports stalls. */
  readonly watched: boolean
  /** The latest first. */
  readonly stalls: ReadonlyArray<StallView>
  readonly pools: ReadonlyArray<PoolView>
}

export interface StallView {
  readonly at: number
  readonly millis: number
  readonly stack: string
  readonly site: string | undefined
  readonly advice: string
  readonly frames: ReadonlyArray<string>
}

export interface PoolView {
  /** Identifies the pool within the program. */
  readonly id: number
  readonly key: string
  readonly threads: number
  readonly idleThreads: number
  readonly stuckThreads: number
  readonly waitingThreads: number
  readonly maxThreads: number
  readonly queueDepth: number
  readonly queueCapacity: number
  readonly suspended: number
  readonly openStreams: number
  readonly submitted: number
  readonly running: ReadonlyArray<{
    readonly id: number
    readonly task: string
    readonly threadId: number
    readonly runningMillis: number
  }>
  readonly outcomes: Readonly<Record<string, number>>
  /** One per second, the latest last. */
  readonly history: ReadonlyArray<Sample>
  readonly queueWait: ReadonlyArray<Bucket>
  readonly runTime: ReadonlyArray<Bucket>
  readonly tasks: ReadonlyArray<TaskView>
  readonly slowest: ReadonlyArray<SlowRun>
  /** The latest first. */
  readonly failures: ReadonlyArray<FailureView>
  /** The latest first. */
  readonly stops: ReadonlyArray<StopView>
  /** How many events were dropped because there were too many. */
  readonly dropped: number
}

export interface Sample {
  readonly queueDepth: number
  readonly running: number
  /** How many tasks ended in that second. */
  readonly ended: number
}

export interface Bucket {
  /** The upper bound; `undefined` for the last bucket. */
  readonly belowMillis: number | undefined
  readonly count: number
}

export interface TaskView {
  readonly name: string
  readonly module: string
  readonly ended: number
  readonly failed: number
  readonly meanMillis: number
  readonly maxMillis: number
}

export interface SlowRun {
  readonly task: string
  readonly id: number
  readonly at: number
  readonly runMillis: number
}

export interface FailureView {
  readonly at: number
  readonly task: string
  readonly id: number
  readonly outcome: string
  readonly message: string
  readonly detail: string
}

export interface StopView {
  readonly at: number
  readonly task: string
  readonly id: number
  readonly threadId: number
  readonly step: string
  readonly by: string
}
