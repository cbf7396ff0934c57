/** What the live view shows at one moment: from the program to the page, and to `top`. Both read this file: it imports nothing. */

export interface Snapshot {
  /** Milliseconds since 1970. */
  readonly at: number
  readonly program: {
    readonly name: string
    readonly pid: number
    readonly node: string
    readonly uptimeMillis: number
    readonly memoryBytes: number
    /** Which part of the time since the last look the event loop had something to do, from 0 to 1. */
    readonly eventLoop: number
  }
  /** Whether a watchdog tells of stalls. */
  readonly watched: boolean
  /** The last first. */
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
  /** Of the pool within the program. */
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
  /** One for each second, the last one last. */
  readonly history: ReadonlyArray<Sample>
  readonly queueWait: ReadonlyArray<Bucket>
  readonly runTime: ReadonlyArray<Bucket>
  readonly tasks: ReadonlyArray<TaskView>
  readonly slowest: ReadonlyArray<SlowRun>
  /** The last first. */
  readonly failures: ReadonlyArray<FailureView>
  /** The last first. */
  readonly stops: ReadonlyArray<StopView>
  /** Events that were lost because there were too many. */
  readonly dropped: number
}

export interface Sample {
  readonly queueDepth: number
  readonly running: number
  /** Tasks that have ended in that second. */
  readonly ended: number
}

export interface Bucket {
  /** What is counted took less; `undefined` for the last. */
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
