/**
 * Runs tasks on a pool of threads, so that synchronous work does not hold up the
 * event loop.
 *
 * `Blocking` is the service of the default pool; a platform package provides it
 * (`NodeBlocking.layer`). The pool owns its threads and shuts down with its layer.
 * `Blocking.Pool` declares further, named pools with the same operations.
 *
 * **Details**
 *
 * Choose `run` for one result, `spawn` for a task that outlives the expression but
 * not its scope, `spawnDetached` for one that lives as long as the pool, `lease` for
 * several calls that need the same thread, and `inPlace` for work so short that a
 * thread would cost more. Do not put work on a pool that waits, by means of its own, for other
 * work on the same pool: when all threads wait, none is left to end the waiting. A `Callback`
 * may do so.
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
import { holdEventLoop } from "./internal/pool/inPlace.ts"
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
   * Runs a task on the leased thread, after the calls made before it. Fails with
   * reason `WorkerExited` once the thread is gone: what it held is gone with it. A call
   * made after the lease has ended fails with reason `Cancelled`, and says so.
   */
  readonly run: <Args extends ReadonlyArray<unknown>, A, E, R>(
    task: Task<Args, A, E, R>,
    ...args: { [K in keyof Args]: Args[K] }
  ) => Effect.Effect<A, E | JoinError, R>
  /**
   * Streams a task on the leased thread: its body goes on between the other calls. What of it
   * is open when the lease ends is closed.
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
 * What a pool is doing at one moment, and what it has done since it started.
 *
 * @category models
 * @since 0.1.0
 */
export interface PoolStats {
  readonly key: string
  /** Threads of the pool: starting, idle, busy, and those on their way out. */
  readonly threads: number
  readonly idleThreads: number
  /** Threads that could not be terminated; they hold no place in the pool. */
  readonly stuckThreads: number
  /** Threads whose body waits for an answer of the program; they hold no place in the pool, up to `maxThreads` of them. */
  readonly waitingThreads: number
  readonly maxThreads: number
  /** Whether its threads share memory with the program: those of processes and of a test do not. */
  readonly sharesMemory: boolean
  /** Since the pool started. */
  readonly threadsStarted: number
  /** The bodies that run now, or whose module a thread is loading; those on stuck threads included. */
  readonly running: ReadonlyArray<RunningTask>
  /** Accepted tasks that wait for a thread, also for one that starts: beyond `queueCapacity` by as many as start. */
  readonly queueDepth: number
  readonly queueCapacity: number
  /** Submitters that wait for room in the queue. */
  readonly suspended: number
  /** Streams whose body was left at a `yield`, or was and runs again, and has not ended. */
  readonly openStreams: number
  /** Since the pool started, the refused included. */
  readonly submitted: number
  /**
   * How the submitted tasks ended, since the pool started: `Succeeded`, `Failed` with
   * their own error, or with a `JoinError` of that reason. An interrupted task counts
   * as `Cancelled`.
   */
  readonly outcomes: Readonly<Record<"Succeeded" | "Failed" | JoinErrorReason["_tag"], number>>
  /**
   * How often each step of a stop was taken, since the pool started: running tasks that
   * were asked to stop, threads terminated for it, threads abandoned. A task that was
   * `Requested`, and whose thread was not `Terminated`, ended when it was asked.
   */
  readonly stops: Readonly<Record<"Requested" | "Terminated" | "Abandoned", number>>
}

/**
 * A body that runs now; `runningMillis` is 0 while its module is loaded.
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
 * What has just happened to a task of a pool, as `Blocking.events` tells it.
 *
 * **Details**
 *
 * `at` is in milliseconds on the pool's own clock, which only goes forward: the difference of two is a duration. It
 * is the time of what is told, also when the pool has learnt of it later.
 *
 * - `Queued`: it was submitted. It need not be accepted: it can end at once.
 * - `Started`: its body was entered, on the thread `threadId`. Of a stream that is left and resumed, the first time.
 * - `StopRequested`: its body was asked to stop, and `by` what: see `JoinError` for what each becomes.
 * - `Terminated`: the thread is terminated for it. `Abandoned`: that did not help, and the thread was given up.
 * - `Ended`: with its `outcome`; `error` is what it failed with, its own error or a `JoinError`. `runMillis` is
 *   `undefined` if its body was never entered; of a stream, it is the time in its body.
 * - `Dropped`: whoever reads was too slow, and `count` events before the next one are lost to it.
 *
 * Arguments and results are in none of them.
 *
 * @category models
 * @since 0.1.0
 */
export type TaskEvent = TaskQueued | TaskStarted | TaskStop | TaskEnded | EventsDropped

/**
 * What all events of a task have.
 *
 * @category models
 * @since 0.1.0
 */
export interface AboutTask {
  /** Of the run: each submission has a number of its own, within its pool. */
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
 * Declares a further pool as a service of its own, with threads and limits that it
 * shares with no other.
 *
 * **When to use**
 *
 * Use for work that must not wait behind other work: long computations beside short
 * queries, one tenant beside another.
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

/** The operations of a pool as functions that take it from the context. */
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
 * Runs a task on a thread of the default pool and gives its result.
 *
 * **Details**
 *
 * Waits for room in the queue, for a thread, and for the body. Interrupted while
 * queued, the body never runs; interrupted while it runs, it is stopped as its
 * `onInterrupt` says: by default asked to stop, and its thread terminated after
 * `gracePeriod`. Fails with the task's own error, or with a `JoinError`. The close of
 * a scope does not touch it: it belongs to the fiber that waits for it.
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
 * Runs a task of `Task.stream` on a thread of the default pool, as a `Stream` of what it yields.
 *
 * **Details**
 *
 * Nothing runs before the stream is run, and each run of it submits the task anew. The body
 * runs as far as the stream is pulled, and one chunk ahead: the first element travels alone and
 * at once, later chunks grow up to about a millisecond of the body's time, 64 kB, or 1024
 * elements. A consumer that ends early (`Stream.take`, an interruption, a failure downstream)
 * closes the body, whose `finally` blocks run; a body that does not end then is stopped as a
 * task is. Fails with the task's own error, or with a `JoinError`, behind what was yielded
 * before. If its thread dies it fails with reason `WorkerExited`; it is never started again.
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
 * Makes a `Sink` of a task of `Task.sink`: its body takes the elements of the stream, on a thread
 * of the default pool, and the sink gives what the body returns.
 *
 * **Details**
 *
 * The stream is pulled when the body wants elements, and one chunk ahead. A body that returns
 * early ends the stream. If the stream fails or is interrupted, the body leaves its loop by a
 * throw, with its `finally` blocks, and that has happened when the effect ends. Fails with the
 * task's own error, or with a `JoinError`.
 *
 * While the body waits for elements, its thread holds no place in the pool: what produces them
 * can run tasks on the same pool.
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
 * Makes one stream of another by a task of `Task.pipe`, on a thread of the default pool.
 *
 * **Details**
 *
 * Its input is pulled as that of `sink`, and what its body yields as that of `stream`. A failure
 * of the stream that it takes comes behind what the body has yielded before.
 *
 * **Example** (Blocks that are packed)
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
 * Runs an effect, and gives what its tasks send by a `Callback.notify` as a `Stream`.
 *
 * **Details**
 *
 * Each element is the arguments of one `send`, in order. The stream ends behind the last of them, when
 * the effect has ended, and fails as the effect does; what the effect gives is dropped, keep it with
 * `Effect.tap`. The effect begins when the stream is run, and is interrupted when the stream ends before. Who takes
 * elements slowly holds the tasks up, as soon as `bufferSize` of them wait, 64 by default.
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
 * Waits only for room in the queue. Fails with `JoinError` if the pool refuses the
 * task (`ShutDown`, `QueueFull`, `NotCloneable` argument, `QueueTimedOut`); everything
 * later is for whoever joins. When the scope closes, the task is aborted and the close
 * waits until it has ended or was abandoned. All tasks spawned in a scope are stopped
 * together, when the finalizer of the first spawn runs. In a scope that has closed it
 * fails with reason `Cancelled`, and runs nothing.
 *
 * @category combinators
 * @since 0.1.0
 */
export const spawn: <Args extends ReadonlyArray<unknown>, A, E, R>(
  task: Task<Args, A, E, R>,
  ...args: { [K in keyof Args]: Args[K] }
) => Effect.Effect<JoinHandle<A, E>, JoinError, R | Blocking | Scope.Scope> = default_.spawn

/**
 * Starts a task that lives as long as the default pool, and returns its handle at
 * once. Waits and fails as `spawn` does; no scope stops it but the pool's.
 *
 * @category combinators
 * @since 0.1.0
 */
export const spawnDetached: <Args extends ReadonlyArray<unknown>, A, E, R>(
  task: Task<Args, A, E, R>,
  ...args: { [K in keyof Args]: Args[K] }
) => Effect.Effect<JoinHandle<A, E>, JoinError, R | Blocking> = default_.spawnDetached

/**
 * Holds one thread of the default pool for several calls: a transaction, an open
 * iterator, a session.
 *
 * **Details**
 *
 * Waits for a thread like any task, in order; an interruption meanwhile withdraws the
 * request. Calls run on that thread one after the other. When `use` ends, calls still
 * running are aborted and the thread takes other tasks again. If the thread dies (a
 * call was stopped by force, or it crashed), the calls that follow fail with
 * `WorkerExited` and never run on another thread.
 *
 * **Gotchas**
 *
 * A held thread serves nobody else. Inside `use`, `Blocking.run` takes another thread.
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
 * Holds one thread of the default pool until the scope closes: for what lives longer than one
 * expression, such as an open cursor under a `Stream`.
 *
 * **Details**
 *
 * As `lease`, which is to be preferred where one expression is enough.
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
 * Returns what the default pool is doing now, and its counters.
 *
 * @category getters
 * @since 0.1.0
 */
export const stats: Effect.Effect<PoolStats, never, Blocking> = default_.stats

/**
 * Waits until that many threads (at most `maxThreads`) of the default pool are ready,
 * their `preload` modules loaded. Without a number: all of them.
 *
 * **Details**
 *
 * Idle threads above `minThreads` still retire after `keepAlive`. Fails with reason
 * `SpawnFailed`, `LoadFailed` for a preload that does not load, or `ShutDown`.
 * Interrupting it stops the waiting only.
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
 * Tells what becomes of the tasks of the default pool: a `Stream` of what happens from now on.
 *
 * **When to use**
 *
 * Use to watch a pool while it works, as a live view does. For counts and histograms there are `stats` and the
 * metrics; for what became of one task there is its handle.
 *
 * **Details**
 *
 * Costs nothing while nobody runs the stream. Each run of it listens for itself, and never holds the pool up: of
 * more than 8192 events that wait for it the oldest are dropped, and it is told how many. A start is told within some
 * 20 ms, or with the end of a shorter task. It never ends by itself, also not when the pool has closed.
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
 * Returns the pools of the program that are open now, those of every key: for tools that look at all of them.
 *
 * @category getters
 * @since 0.1.0
 */
export const pools: Effect.Effect<ReadonlyArray<Pool>> = Effect.map(OpenPools, (pools) => Array.from(pools))

// -----------------------------------------------------------------------------
// In place
// -----------------------------------------------------------------------------

/**
 * Runs a synchronous function here and now, on the calling thread, and measures how
 * long it held the event loop.
 *
 * **When to use**
 *
 * Use for work that is shorter than the trip to a thread, or that cannot leave this
 * one. Everything else, timers and requests included, waits meanwhile.
 *
 * **Details**
 *
 * Records the time in the metric `effect_blocking_in_place_millis` and logs a warning
 * with the call site when it is above `budget` (default 10 ms). What the function
 * throws is a defect. On a pool thread it just runs.
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
export const inPlace: <A>(thunk: LazyArg<A>, options?: InPlaceOptions) => Effect.Effect<A> = holdEventLoop

/**
 * @category models
 * @since 0.1.0
 */
export interface InPlaceOptions {
  /** How long it may hold the event loop before it is warned about. Defaults to 10 ms; `Infinity` for never. */
  readonly budget?: Duration.Input | undefined
}
