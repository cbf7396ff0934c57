/**
 * Runs tasks on a pool of threads, so that synchronous work does not block the event loop.
 *
 * `Blocking` is the service of the default pool; a platform package provides it
 * (`NodeBlocking.layer`). The pool owns its threads and shuts down with its layer.
 * `Blocking.Pool` declares further, named pools with the same operations.
 *
 * **Details**
 *
 * Choose `run` for one result, `spawn` for a task that outlives the expression but not its scope,
 * `spawnDetached` for a task that lives as long as the pool, `lease` for several calls that need the same
 * thread, and `inPlace` for work so short that a thread would cost more.
 *
 * A body must not wait by its own means (such as `Atomics.wait`) for other work on its own pool: once all
 * threads wait, no thread can finish that work. A `Callback` may wait.
 *
 * @module
 * @since 0.1.0
 */
import * as Context from "effect/Context"
import type * as Duration from "effect/Duration"
import * as Effect from "effect/Effect"
import type { LazyArg } from "effect/Function"
import * as Queue from "effect/Queue"
import type * as Scope from "effect/Scope"
import * as Sink from "effect/Sink"
import * as Stream from "effect/Stream"
import type { NotifyClass } from "./Callback.ts"
import { OpenPools } from "./internal/pool/events.ts"
import { runInPlace } from "./internal/pool/inPlace.ts"
import type { JoinError, JoinErrorReason } from "./JoinError.ts"
import type { JoinHandle } from "./JoinHandle.ts"
import type { PipeTask, SinkTask, StreamTask, Task } from "./Task.ts"

// -----------------------------------------------------------------------------
// Models
// -----------------------------------------------------------------------------

/**
 * A pool of threads that runs tasks.
 *
 * @category models
 * @since 0.1.0
 */
export interface Pool {
  /** See `Blocking.run`. */
  readonly run: <Args extends ReadonlyArray<unknown>, A, E, R>(
    task: Task<Args, A, E, R>,
    ...args: { [K in keyof Args]: Args[K] }
  ) => Effect.Effect<A, E | JoinError, R>
  /** See `Blocking.stream`. */
  readonly stream: <Args extends ReadonlyArray<unknown>, A, E, R>(
    task: StreamTask<Args, A, E, R>,
    ...args: { [K in keyof Args]: Args[K] }
  ) => Stream.Stream<A, E | JoinError, R>
  /** See `Blocking.sink`. */
  readonly sink: <Args extends ReadonlyArray<unknown>, In, A, E, R>(
    task: SinkTask<Args, In, A, E, R>,
    ...args: { [K in keyof Args]: Args[K] }
  ) => Sink.Sink<A, In, never, E | JoinError, R>
  /** See `Blocking.pipe`. */
  readonly pipe: <Args extends ReadonlyArray<unknown>, In, A, E, R>(
    task: PipeTask<Args, In, A, E, R>,
    ...args: { [K in keyof Args]: Args[K] }
  ) => <E0, R0>(self: Stream.Stream<In, E0, R0>) => Stream.Stream<A, E0 | E | JoinError, R | R0>
  /** See `Blocking.spawn`. */
  readonly spawn: <Args extends ReadonlyArray<unknown>, A, E, R>(
    task: Task<Args, A, E, R>,
    ...args: { [K in keyof Args]: Args[K] }
  ) => Effect.Effect<JoinHandle<A, E>, JoinError, R | Scope.Scope>
  /** See `Blocking.spawnDetached`. */
  readonly spawnDetached: <Args extends ReadonlyArray<unknown>, A, E, R>(
    task: Task<Args, A, E, R>,
    ...args: { [K in keyof Args]: Args[K] }
  ) => Effect.Effect<JoinHandle<A, E>, JoinError, R>
  /** See `Blocking.lease`. */
  readonly lease: <A, E, R>(use: (lease: Lease) => Effect.Effect<A, E, R>) => Effect.Effect<A, E | JoinError, R>
  /** See `Blocking.leaseScoped`. */
  readonly leaseScoped: Effect.Effect<Lease, JoinError, Scope.Scope>
  /** See `Blocking.stats`. */
  readonly stats: Effect.Effect<PoolStats>
  /** See `Blocking.prewarm`. */
  readonly prewarm: (count?: number) => Effect.Effect<void, JoinError>
  /** See `Blocking.awaitIdle`. */
  readonly awaitIdle: Effect.Effect<void>
  /** See `Blocking.events`. */
  readonly events: Stream.Stream<TaskEvent>
}

/**
 * A thread held for several calls, made by `Blocking.lease`.
 *
 * @category models
 * @since 0.1.0
 */
export interface Lease {
  /**
   * Runs a task on the leased thread, after the calls made before it. Fails with reason `WorkerExited` once
   * the thread is gone, because the state it held is gone too. A call made after the lease has ended fails
   * with reason `Cancelled`; its `detail` says so.
   */
  readonly run: <Args extends ReadonlyArray<unknown>, A, E, R>(
    task: Task<Args, A, E, R>,
    ...args: { [K in keyof Args]: Args[K] }
  ) => Effect.Effect<A, E | JoinError, R>
  /**
   * Streams a task on the leased thread; the body continues between the other calls. Streams still open when
   * the lease ends are closed.
   */
  readonly stream: <Args extends ReadonlyArray<unknown>, A, E, R>(
    task: StreamTask<Args, A, E, R>,
    ...args: { [K in keyof Args]: Args[K] }
  ) => Stream.Stream<A, E | JoinError, R>
  /** See `Blocking.sink`. */
  readonly sink: <Args extends ReadonlyArray<unknown>, In, A, E, R>(
    task: SinkTask<Args, In, A, E, R>,
    ...args: { [K in keyof Args]: Args[K] }
  ) => Sink.Sink<A, In, never, E | JoinError, R>
  /** See `Blocking.pipe`. */
  readonly pipe: <Args extends ReadonlyArray<unknown>, In, A, E, R>(
    task: PipeTask<Args, In, A, E, R>,
    ...args: { [K in keyof Args]: Args[K] }
  ) => <E0, R0>(self: Stream.Stream<In, E0, R0>) => Stream.Stream<A, E0 | E | JoinError, R | R0>
}

/**
 * A snapshot of what a pool is doing, with its counters since it started.
 *
 * @category models
 * @since 0.1.0
 */
export interface PoolStats {
  readonly key: string
  /** Threads of the pool: starting, idle, busy or ending. */
  readonly threads: number
  readonly idleThreads: number
  /** Threads that could not be terminated; they hold no place in the pool. */
  readonly stuckThreads: number
  /** Threads whose body waits for an answer from the program. Up to `maxThreads` of them hold no place in the pool. */
  readonly waitingThreads: number
  readonly maxThreads: number
  /** Whether its threads share memory with the program. Pool processes and simulated threads do not. */
  readonly sharesMemory: boolean
  /** Threads started since the pool started. */
  readonly threadsStarted: number
  /** Bodies that run now or whose module is being loaded, including those on stuck threads. */
  readonly running: ReadonlyArray<RunningTask>
  /**
   * Accepted tasks that wait for a thread. A task may also wait for a thread that is starting, so this can
   * exceed `queueCapacity` by the number of starting threads.
   */
  readonly queueDepth: number
  readonly queueCapacity: number
  /** Submitters suspended until the queue has room. */
  readonly suspended: number
  /** Streams whose body has been left at a `yield` at least once and has not ended. */
  readonly openStreams: number
  /** Tasks submitted since the pool started, including those refused. */
  readonly submitted: number
  /**
   * Counts of how submitted tasks ended, since the pool started: `Succeeded`, `Failed` with a domain error,
   * or the reason of a `JoinError`. An interrupted task counts as `Cancelled`.
   */
  readonly outcomes: Readonly<Record<"Succeeded" | "Failed" | JoinErrorReason["_tag"], number>>
  /**
   * Counts of each step of a stop, since the pool started: running tasks asked to stop, threads terminated,
   * threads abandoned. A task that was `Requested` and whose thread was not `Terminated` ended when asked.
   */
  readonly stops: Readonly<Record<"Requested" | "Terminated" | "Abandoned", number>>
}

/**
 * A body that runs now; `runningMillis` is 0 while its module is loading.
 *
 * @category models
 * @since 0.1.0
 */
export interface RunningTask {
  readonly id: number
  readonly task: string
  readonly module: string
  readonly threadId: number
  readonly runningMillis: number
}

/**
 * An event in the life of a pool's task, as emitted by `Blocking.events`.
 *
 * **Details**
 *
 * `at` is in milliseconds on the pool's monotonic clock: the difference of two values is a duration. It is
 * the time at which the event happened, even if the pool learned of it later.
 *
 * - `Queued`: the task was submitted. It may be refused, and then `Ended` follows at once.
 * - `Started`: the body was entered on the thread `threadId`. A stream emits this once, however often its
 *   body is resumed.
 * - `StopRequested`: the body was asked to stop; `by` is the cause. `JoinError` lists the reason that each
 *   cause leads to.
 * - `Terminated`: the body did not stop, and its thread is being terminated. `Abandoned`: the termination had
 *   no effect, and the thread was given up.
 * - `Ended`: the task ended with `outcome`; `error` is its domain error or a `JoinError`. `runMillis` is
 *   `undefined` if the body was never entered; for a stream, it is the time spent in the body.
 * - `Dropped`: the reader was too slow, and missed `count` events before the next one.
 *
 * No event carries arguments or results.
 *
 * @category models
 * @since 0.1.0
 */
export type TaskEvent = TaskQueued | TaskStarted | TaskStop | TaskEnded | EventsDropped

/**
 * The fields common to all events of a task.
 *
 * @category models
 * @since 0.1.0
 */
export interface AboutTask {
  /** Number of the run. Each submission to a pool has its own. */
  readonly id: number
  readonly task: string
  readonly module: string
  readonly at: number
}

/**
 * See `TaskEvent`.
 *
 * @category models
 * @since 0.1.0
 */
export interface TaskQueued extends AboutTask {
  readonly _tag: "Queued"
}

/**
 * See `TaskEvent`.
 *
 * @category models
 * @since 0.1.0
 */
export interface TaskStarted extends AboutTask {
  readonly _tag: "Started"
  readonly threadId: number
  readonly queueWaitMillis: number
}

/**
 * See `TaskEvent`.
 *
 * @category models
 * @since 0.1.0
 */
export interface TaskStop extends AboutTask {
  readonly _tag: "StopRequested" | "Terminated" | "Abandoned"
  readonly threadId: number
  readonly by: "Abort" | "Interrupt" | "TimeLimit" | "IdleLimit" | "Shutdown" | "Close"
}

/**
 * See `TaskEvent`.
 *
 * @category models
 * @since 0.1.0
 */
export interface TaskEnded extends AboutTask {
  readonly _tag: "Ended"
  readonly outcome: keyof PoolStats["outcomes"]
  readonly error: unknown
  readonly queueWaitMillis: number
  readonly runMillis: number | undefined
}

/**
 * See `TaskEvent`.
 *
 * @category models
 * @since 0.1.0
 */
export interface EventsDropped {
  readonly _tag: "Dropped"
  readonly count: number
}

// -----------------------------------------------------------------------------
// Services
// -----------------------------------------------------------------------------

/**
 * Service of the default pool.
 *
 * @category services
 * @since 0.1.0
 */
export class Blocking extends Context.Service<Blocking, Pool>()("effect-blocking/Blocking") {}

/**
 * The class of a named pool: a service key with the pool's operations.
 *
 * @category models
 * @since 0.1.0
 */
export interface PoolClass<in out Self, in out Key extends string> extends Context.ServiceClass<Self, Key, Pool> {
  /** See `Blocking.run`. */
  readonly run: <Args extends ReadonlyArray<unknown>, A, E, R>(
    task: Task<Args, A, E, R>,
    ...args: { [K in keyof Args]: Args[K] }
  ) => Effect.Effect<A, E | JoinError, R | Self>
  /** See `Blocking.stream`. */
  readonly stream: <Args extends ReadonlyArray<unknown>, A, E, R>(
    task: StreamTask<Args, A, E, R>,
    ...args: { [K in keyof Args]: Args[K] }
  ) => Stream.Stream<A, E | JoinError, R | Self>
  /** See `Blocking.sink`. */
  readonly sink: <Args extends ReadonlyArray<unknown>, In, A, E, R>(
    task: SinkTask<Args, In, A, E, R>,
    ...args: { [K in keyof Args]: Args[K] }
  ) => Sink.Sink<A, In, never, E | JoinError, R | Self>
  /** See `Blocking.pipe`; under another name, because a service has a `pipe` of its own. */
  readonly pipeThrough: <Args extends ReadonlyArray<unknown>, In, A, E, R>(
    task: PipeTask<Args, In, A, E, R>,
    ...args: { [K in keyof Args]: Args[K] }
  ) => <E0, R0>(self: Stream.Stream<In, E0, R0>) => Stream.Stream<A, E0 | E | JoinError, R | R0 | Self>
  /** See `Blocking.spawn`. */
  readonly spawn: <Args extends ReadonlyArray<unknown>, A, E, R>(
    task: Task<Args, A, E, R>,
    ...args: { [K in keyof Args]: Args[K] }
  ) => Effect.Effect<JoinHandle<A, E>, JoinError, R | Self | Scope.Scope>
  /** See `Blocking.spawnDetached`. */
  readonly spawnDetached: <Args extends ReadonlyArray<unknown>, A, E, R>(
    task: Task<Args, A, E, R>,
    ...args: { [K in keyof Args]: Args[K] }
  ) => Effect.Effect<JoinHandle<A, E>, JoinError, R | Self>
  /** See `Blocking.lease`. */
  readonly lease: <A, E, R>(use: (lease: Lease) => Effect.Effect<A, E, R>) => Effect.Effect<A, E | JoinError, R | Self>
  /** See `Blocking.leaseScoped`. */
  readonly leaseScoped: Effect.Effect<Lease, JoinError, Self | Scope.Scope>
  /** See `Blocking.stats`. */
  readonly stats: Effect.Effect<PoolStats, never, Self>
  /** See `Blocking.prewarm`. */
  readonly prewarm: (count?: number) => Effect.Effect<void, JoinError, Self>
  /** See `Blocking.awaitIdle`. */
  readonly awaitIdle: Effect.Effect<void, never, Self>
  /** See `Blocking.events`. */
  readonly events: Stream.Stream<TaskEvent, never, Self>
}

/**
 * Declares a named pool as a service, with threads and limits that it shares with no other pool.
 *
 * **When to use**
 *
 * Use for work that must not wait behind other work: short queries next to long computations, or one tenant
 * next to another.
 *
 * **Example** (A pool for computations)
 *
 * ```ts
 * import { Blocking, Task } from "effect-blocking"
 *
 * const double = Task.make(import.meta.url, "double", (n: number) => n * 2)
 *
 * export class Cpu extends Blocking.Pool<Cpu>()("app/Cpu") {}
 *
 * export const program = Cpu.run(double, 21)
 * ```
 *
 * @category constructors
 * @since 0.1.0
 */
export const Pool = <Self>() => <const Key extends string>(key: Key): PoolClass<Self, Key> => {
  const service = Context.Service<Self, Pool>()(key)
  return Object.assign(service, operations(service)) as PoolClass<Self, Key>
}

/** The operations of a pool, as functions that take the pool from the context. */
const operations = <Self>(pool: Context.Key<Self, Pool>): Omit<PoolClass<Self, string>, keyof typeof Blocking> => ({
  run: (task, ...args) => Effect.flatMap(pool, (pool) => pool.run(task, ...args)),
  stream: (task, ...args) => Stream.unwrap(Effect.map(pool, (pool) => pool.stream(task, ...args))),
  sink: (task, ...args) => Sink.unwrap(Effect.map(pool, (pool) => pool.sink(task, ...args))),
  pipeThrough: (task, ...args) => (self) => Stream.unwrap(Effect.map(pool, (pool) => pool.pipe(task, ...args)(self))),
  spawn: (task, ...args) => Effect.flatMap(pool, (pool) => pool.spawn(task, ...args)),
  spawnDetached: (task, ...args) => Effect.flatMap(pool, (pool) => pool.spawnDetached(task, ...args)),
  lease: (use) => Effect.flatMap(pool, (pool) => pool.lease(use)),
  leaseScoped: Effect.flatMap(pool, (pool) => pool.leaseScoped),
  stats: Effect.flatMap(pool, (pool) => pool.stats),
  prewarm: (count) => Effect.flatMap(pool, (pool) => pool.prewarm(count)),
  awaitIdle: Effect.flatMap(pool, (pool) => pool.awaitIdle),
  events: Stream.unwrap(Effect.map(pool, (pool) => pool.events))
})

const default_ = operations(Blocking)

// -----------------------------------------------------------------------------
// Operations on the default pool
// -----------------------------------------------------------------------------

/**
 * Runs a task on a thread of the default pool and returns its result.
 *
 * **Details**
 *
 * Waits for room in the queue, for a thread, and for the body. If interrupted while queued, the body never
 * runs. If interrupted while running, the body is stopped according to the task's `onInterrupt`: by default
 * it is asked to stop, and its thread is terminated after `gracePeriod`. Fails with the task's own error or
 * with a `JoinError`. Closing a scope does not stop it: the run belongs to the fiber that waits for it.
 *
 * **Example** (Hashing a password)
 *
 * ```ts
 * import { Blocking, Task } from "effect-blocking"
 * import { scryptSync } from "node:crypto"
 *
 * const hash = Task.make(import.meta.url, "hash", (password: string, salt: string) =>
 *   scryptSync(password, salt, 64).toString("hex"))
 *
 * export const digest = Blocking.run(hash, "correct horse", "salt")
 * ```
 *
 * @category combinators
 * @since 0.1.0
 */
export const run: <Args extends ReadonlyArray<unknown>, A, E, R>(
  task: Task<Args, A, E, R>,
  ...args: { [K in keyof Args]: Args[K] }
) => Effect.Effect<A, E | JoinError, R | Blocking> = default_.run

/**
 * Runs a `Task.stream` task on a thread of the default pool, as a `Stream` of the elements it yields.
 *
 * **Details**
 *
 * Nothing happens until the stream is run, and each run submits the task again. The body runs as far as the
 * stream is pulled, and one chunk ahead. The first element is sent alone and at once; later chunks grow to
 * about a millisecond of the body's time, 64 kB, or 1024 elements.
 *
 * A consumer that ends early (`Stream.take`, an interruption, a failure downstream) closes the body and runs
 * its `finally` blocks. A body that does not end then is stopped like any task. Fails with the task's own
 * error or with a `JoinError`, after the elements yielded before. If its thread dies, the stream fails with
 * reason `WorkerExited` and is not restarted.
 *
 * Between two pulls the thread serves other tasks. While a stream is open, its thread neither
 * retires nor is replaced.
 *
 * **Example** (Long lines)
 *
 * ```ts
 * import { Stream } from "effect"
 * import { Blocking, Task } from "effect-blocking"
 * import { readFileSync } from "node:fs"
 *
 * const lines = Task.stream(import.meta.url, "lines", function*(path: string) {
 *   yield* readFileSync(path, "utf8").split("\n")
 * })
 *
 * export const long = Blocking.stream(lines, "data.csv").pipe(
 *   Stream.filter((line) => line.length > 80),
 *   Stream.take(10),
 *   Stream.runCollect
 * )
 * ```
 *
 * @category combinators
 * @since 0.1.0
 */
export const stream: <Args extends ReadonlyArray<unknown>, A, E, R>(
  task: StreamTask<Args, A, E, R>,
  ...args: { [K in keyof Args]: Args[K] }
) => Stream.Stream<A, E | JoinError, R | Blocking> = default_.stream

/**
 * Creates a `Sink` from a `Task.sink` task: the body consumes the stream on a thread of the default pool, and
 * its return value is the result of the sink.
 *
 * **Details**
 *
 * The stream is pulled when the body wants elements, and one chunk ahead. A body that returns early ends the
 * stream. If the stream fails or is interrupted, the body's loop throws and its `finally` blocks run before
 * the effect ends. Fails with the task's own error or with a `JoinError`.
 *
 * While the body waits for elements, its thread holds no place in the pool, so the producer can run tasks on
 * the same pool.
 *
 * **Example** (The sum of a stream)
 *
 * ```ts
 * import { Stream } from "effect"
 * import { Blocking, Task } from "effect-blocking"
 *
 * const sum = Task.sink(import.meta.url, "sum", (numbers: Iterable<number>) => {
 *   let total = 0
 *   for (const n of numbers) total += n
 *   return total
 * })
 *
 * export const total = Stream.run(Stream.range(1, 1000), Blocking.sink(sum))
 * ```
 *
 * @category combinators
 * @since 0.1.0
 */
export const sink: <Args extends ReadonlyArray<unknown>, In, A, E, R>(
  task: SinkTask<Args, In, A, E, R>,
  ...args: { [K in keyof Args]: Args[K] }
) => Sink.Sink<A, In, never, E | JoinError, R | Blocking> = default_.sink

/**
 * Transforms a stream with a `Task.pipe` task on a thread of the default pool.
 *
 * **Details**
 *
 * The input is pulled as in `sink`, and the output as in `stream`. If the input fails, the failure arrives
 * after the elements that the body yielded before.
 *
 * **Example** (Compressing blocks)
 *
 * ```ts
 * import type { Stream } from "effect"
 * import { Blocking, Task } from "effect-blocking"
 * import { deflateSync } from "node:zlib"
 *
 * const pack = Task.pipe(import.meta.url, "pack", function*(blocks: Iterable<Uint8Array>, level: number) {
 *   for (const block of blocks) yield Task.move(Uint8Array.from(deflateSync(block, { level })))
 * })
 *
 * export const packed = (blocks: Stream.Stream<Uint8Array>) => blocks.pipe(Blocking.pipe(pack, 9))
 * ```
 *
 * @category combinators
 * @since 0.1.0
 */
export const pipe: <Args extends ReadonlyArray<unknown>, In, A, E, R>(
  task: PipeTask<Args, In, A, E, R>,
  ...args: { [K in keyof Args]: Args[K] }
) => <E0, R0>(self: Stream.Stream<In, E0, R0>) => Stream.Stream<A, E0 | E | JoinError, R | R0 | Blocking> =
  default_.pipeThrough

/**
 * Runs an effect and returns the notifications that its tasks send through a `Callback.notify`, as a
 * `Stream`.
 *
 * **Details**
 *
 * Each element is the arguments of one `send`, in order. The stream starts the effect when it is run and
 * interrupts it when the stream ends early. After the effect has ended, the stream emits the remaining
 * notifications and ends, or fails as the effect did. The result of the effect is dropped: keep it with
 * `Effect.tap`. When `bufferSize` notifications (64 by default) wait for the consumer, the next `send` makes
 * its task wait.
 *
 * **Example** (The first progress)
 *
 * ```ts
 * import { Stream } from "effect"
 * import { Blocking, Callback, Task } from "effect-blocking"
 *
 * class Progress extends Callback.Service<Progress>()("app/Progress", Callback.notify<[done: number]>()) {}
 *
 * const count = Task.make(import.meta.url, "count", (end: number) => {
 *   for (let n = 1; n <= end; n++) Progress.send(n)
 * }, { callbacks: [Progress] })
 *
 * export const half = Blocking.notifications(Blocking.run(count, 10), Progress).pipe(
 *   Stream.filter(([done]) => done === 5),
 *   Stream.runHead
 * )
 * ```
 *
 * @category combinators
 * @since 0.1.0
 */
export const notifications = <A, E, R, Self, Key extends string, Args extends ReadonlyArray<unknown>>(
  effect: Effect.Effect<A, E, R>,
  callback: NotifyClass<Self, Key, Args>,
  options?: { readonly bufferSize?: number | undefined }
): Stream.Stream<Args, E, Exclude<R, Self>> =>
  Stream.callback<Args, E, Exclude<R, Self>>((queue) =>
    effect.pipe(
      Effect.provideService(callback, (...args) => Effect.asVoid(Queue.offer(queue, args))),
      Effect.andThen(Queue.end(queue))
    ), { bufferSize: options?.bufferSize ?? 64 })

/**
 * Starts a task on the default pool and returns its handle at once.
 *
 * **Details**
 *
 * Waits only for room in the queue. Fails with `JoinError` if the pool refuses the task (`ShutDown`,
 * `QueueFull`, `QueueTimedOut`, or `NotCloneable` for an argument); later errors go to the fibers that join
 * it. When the scope closes, the task is aborted, and the close waits until it has ended or was abandoned.
 * All tasks spawned in a scope are stopped together, when the finalizer of the first spawn runs. In a closed
 * scope, `spawn` fails with reason `Cancelled` and the body never runs.
 *
 * @category combinators
 * @since 0.1.0
 */
export const spawn: <Args extends ReadonlyArray<unknown>, A, E, R>(
  task: Task<Args, A, E, R>,
  ...args: { [K in keyof Args]: Args[K] }
) => Effect.Effect<JoinHandle<A, E>, JoinError, R | Blocking | Scope.Scope> = default_.spawn

/**
 * Starts a task that lives as long as the default pool, and returns its handle at once. Waits and fails as
 * `spawn` does; only the close of the pool stops it.
 *
 * @category combinators
 * @since 0.1.0
 */
export const spawnDetached: <Args extends ReadonlyArray<unknown>, A, E, R>(
  task: Task<Args, A, E, R>,
  ...args: { [K in keyof Args]: Args[K] }
) => Effect.Effect<JoinHandle<A, E>, JoinError, R | Blocking> = default_.spawnDetached

/**
 * Holds one thread of the default pool for several calls, such as a transaction, an open iterator or a
 * session.
 *
 * **Details**
 *
 * Waits for a thread in the queue, like a task; an interruption while waiting withdraws the request. Calls
 * run on that thread one after the other. When `use` ends, calls still running are aborted and the thread
 * takes other tasks again. If the thread dies (it was terminated to stop a call, or it crashed), later calls
 * fail with `WorkerExited` and never run on another thread.
 *
 * **Gotchas**
 *
 * A leased thread runs no other tasks. Inside `use`, `Blocking.run` takes another thread.
 *
 * **Example** (A transaction)
 *
 * ```ts
 * import { Effect } from "effect"
 * import { Blocking, Task } from "effect-blocking"
 * import { DatabaseSync } from "node:sqlite"
 *
 * const database = Task.threadLocal(() => new DatabaseSync("accounts.db"))
 * const exec = Task.make(import.meta.url, "exec", (sql: string) => database().exec(sql))
 *
 * export const transfer = Blocking.lease((thread) =>
 *   Effect.gen(function*() {
 *     yield* thread.run(exec, "BEGIN")
 *     yield* thread.run(exec, "UPDATE accounts SET balance = balance - 1 WHERE id = 1")
 *     yield* thread.run(exec, "COMMIT")
 *   }).pipe(
 *     Effect.onError(() => Effect.ignore(thread.run(exec, "ROLLBACK")))
 *   ))
 * ```
 *
 * @category combinators
 * @since 0.1.0
 */
export const lease: <A, E, R>(
  use: (lease: Lease) => Effect.Effect<A, E, R>
) => Effect.Effect<A, E | JoinError, R | Blocking> = default_.lease

/**
 * Holds one thread of the default pool until the scope closes, for state that outlives one expression, such
 * as an open cursor behind a `Stream`.
 *
 * **Details**
 *
 * Behaves like `lease`. Prefer `lease` where one expression is enough.
 *
 * **Example** (A session that lives as long as its layer)
 *
 * ```ts
 * import { Context, Effect, Layer } from "effect"
 * import { Blocking, Task } from "effect-blocking"
 * import { DatabaseSync } from "node:sqlite"
 *
 * const database = Task.threadLocal(() => new DatabaseSync(":memory:"))
 * const exec = Task.make(import.meta.url, "exec", (sql: string) => database().exec(sql))
 *
 * class Session extends Context.Service<Session, Blocking.Lease>()("app/Session") {}
 *
 * export const SessionLive = Layer.effect(Session, Blocking.leaseScoped.pipe(
 *   Effect.tap((lease) => lease.run(exec, "CREATE TABLE notes (text TEXT)"))
 * ))
 * ```
 *
 * @category combinators
 * @since 0.1.0
 */
export const leaseScoped: Effect.Effect<Lease, JoinError, Blocking | Scope.Scope> = default_.leaseScoped

/**
 * Returns a snapshot of the default pool: what it is doing now, and its counters.
 *
 * @category getters
 * @since 0.1.0
 */
export const stats: Effect.Effect<PoolStats, never, Blocking> = default_.stats

/**
 * Waits until `count` threads of the default pool (at most `maxThreads`, the default) are ready, with their
 * `preload` modules loaded.
 *
 * **Details**
 *
 * Idle threads above `minThreads` still retire after `keepAlive`. Fails with reason `SpawnFailed`, with
 * `LoadFailed` if a preload module does not load, or with `ShutDown`. An interruption only stops the wait.
 *
 * @category combinators
 * @since 0.1.0
 */
export const prewarm: (count?: number) => Effect.Effect<void, JoinError, Blocking> = default_.prewarm

/**
 * Waits until the default pool has nothing queued, running or leased.
 *
 * @category combinators
 * @since 0.1.0
 */
export const awaitIdle: Effect.Effect<void, never, Blocking> = default_.awaitIdle

/**
 * Stream of the events of the default pool's tasks, from now on.
 *
 * **When to use**
 *
 * Use to monitor a pool while it works, as a live view does. For counts and histograms, use `stats` and the
 * metrics; for the outcome of one task, use its handle.
 *
 * **Details**
 *
 * Costs nothing while the stream is not run. Each run has its own buffer of 8192 events and never slows the
 * pool down: when the buffer is full, the oldest events are dropped, and a `Dropped` event says how many.
 * `Started` is emitted within about 20 ms, or with the end of a shorter task. The stream never ends by
 * itself, not even when the pool has closed.
 *
 * **Example** (The tasks that take longer than a second)
 *
 * ```ts
 * import { Effect, Stream } from "effect"
 * import { Blocking } from "effect-blocking"
 *
 * export const logSlowTasks = Blocking.events.pipe(
 *   Stream.runForEach((event) =>
 *     event._tag === "Ended" && event.runMillis !== undefined && event.runMillis > 1000
 *       ? Effect.logWarning(`${event.task} took ${event.runMillis} ms`)
 *       : Effect.void
 *   )
 * )
 * ```
 *
 * @category getters
 * @since 0.1.0
 */
export const events: Stream.Stream<TaskEvent, never, Blocking> = default_.events

/**
 * Returns all open pools of the program, of every key. For tools that inspect all pools.
 *
 * @category getters
 * @since 0.1.0
 */
export const pools: Effect.Effect<ReadonlyArray<Pool>> = Effect.map(OpenPools, (pools) => Array.from(pools))

// -----------------------------------------------------------------------------
// In place
// -----------------------------------------------------------------------------

/**
 * Runs a synchronous function on the calling thread and measures how long it blocked the event loop.
 *
 * **When to use**
 *
 * Use for work that takes less time than a round trip to a thread, or that cannot leave this thread.
 * Everything else, including timers and requests, waits meanwhile.
 *
 * **Details**
 *
 * Records the time in the metric `effect_blocking_in_place_millis` and logs a warning with the call site when
 * it exceeds `budget` (default 10 ms). A throw of the function is a defect. On a pool thread, the function
 * just runs.
 *
 * **Example** (A small parse)
 *
 * ```ts
 * import { Blocking } from "effect-blocking"
 *
 * export const config = Blocking.inPlace(() => JSON.parse("{}") as object, { budget: "5 millis" })
 * ```
 *
 * @category combinators
 * @since 0.1.0
 */
export const inPlace: <A>(thunk: LazyArg<A>, options?: InPlaceOptions) => Effect.Effect<A> = runInPlace

/**
 * The options of `Blocking.inPlace`.
 *
 * @category models
 * @since 0.1.0
 */
export interface InPlaceOptions {
  /**
   * How long the function may block the event loop before a warning is logged. Defaults to 10 ms; `Infinity`
   * disables the warning.
   */
  readonly budget?: Duration.Input | undefined
}
