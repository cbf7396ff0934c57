/**
 * Test layers for `effect-blocking`: the semantics of a thread pool, without threads.
 *
 * `layer` provides the default pool and `layerPool` a named pool, each with the real scheduler on simulated
 * threads. Bodies run on the test's own thread, one at a time. Arguments, results and errors are really
 * cloned. All times are those of the `Clock`, which is the `TestClock` in `it.effect`. Each layer also
 * provides the service `BlockingTest`, through which the functions of this module hold, fail, replace and
 * observe runs.
 *
 * **Details**
 *
 * A task is identified by its module and name: a hold, a failure or a stub of a task also applies to every
 * task that `Task.with` derives from it, in all pools that are provided together.
 *
 * **Gotchas**
 *
 * A body that runs until it is asked to stop never ends here, because the test cannot ask while the body
 * runs: `hold` it, request the stop, then release it.
 *
 * **Example** (A task that is too slow, without waiting)
 *
 * ```ts
 * import { BlockingTest } from "@effect-blocking/vitest"
 * import { assert, it } from "@effect/vitest"
 * import { Effect, Fiber } from "effect"
 * import { Blocking, Task } from "effect-blocking"
 * import { TestClock } from "effect/testing"
 *
 * const hash = Task.make(import.meta.url, "hash", (text: string) => text.length, { timeLimit: "1 second" })
 *
 * it.effect("a slow hash times out", () =>
 *   Effect.gen(function*() {
 *     const held = yield* BlockingTest.hold(hash)
 *     const fiber = yield* Effect.forkChild(Effect.flip(Blocking.run(hash, "secret")))
 *     yield* held.started
 *     yield* TestClock.adjust("2 seconds")
 *     assert.strictEqual((yield* Fiber.join(fiber)).reason._tag, "TimedOut")
 *   }).pipe(Effect.provide(BlockingTest.layer())))
 * ```
 *
 * @module
 * @since 0.1.0
 */
import * as Blocking from "effect-blocking/Blocking"
import type { JoinError, JoinErrorReason } from "effect-blocking/JoinError"
import type { Task } from "effect-blocking/Task"
import * as Context from "effect/Context"
import * as Deferred from "effect/Deferred"
import type * as Duration from "effect/Duration"
import * as Effect from "effect/Effect"
import type * as Exit from "effect/Exit"
import * as Layer from "effect/Layer"
import * as Option from "effect/Option"
import type * as Result from "effect/Result"
import * as Scope from "effect/Scope"
import { type Body, Plans } from "./internal/plans.ts"
import * as testedPool from "./internal/testedPool.ts"

// -----------------------------------------------------------------------------
// Models
// -----------------------------------------------------------------------------

/**
 * The options of a test pool. They are the options of `NodeBlocking`, so that one object serves both. Every
 * option has a default; durations have the defaults of `NodeBlocking`. An option that is out of range or
 * unknown is a defect of the layer.
 *
 * **Details**
 *
 * Options about real threads (`isolation`, `threadName`, `resourceLimits`, `env`, `execArgv`, `preload`) are
 * validated and have no effect.
 *
 * @category models
 * @since 0.1.0
 */
export interface Options {
  /** The number of idle threads that are kept. An integer from 0 to `maxThreads`. Defaults to 0. */
  readonly minThreads?: number | undefined
  /**
   * The maximum number of threads, and so of tasks that can be held at once. An integer from 1. Defaults to
   * 4, on any machine.
   */
  readonly maxThreads?: number | undefined
  /** How long a thread above `minThreads` stays idle before it retires. Defaults to 10 seconds. */
  readonly keepAlive?: Duration.Input | undefined
  /** The maximum number of tasks that wait for a thread. An integer from 0. Defaults to 100. */
  readonly queueCapacity?: number | undefined
  /** Whether a full queue suspends the submitter, or fails the task with `QueueFull`. Defaults to `"suspend"`. */
  readonly onFull?: "suspend" | "fail" | undefined
  /** How long running tasks may continue when the pool is closed. Defaults to 5 seconds. */
  readonly shutdownTimeout?: Duration.Input | undefined
  /** The time from the stop flag of a task to the termination of its thread. Defaults to 200 ms. */
  readonly gracePeriod?: Duration.Input | undefined
  /** How long a thread may take to be terminated before it is abandoned. Defaults to 1 second. */
  readonly terminateTimeout?: Duration.Input | undefined
  /** Given to each simulated thread, as a clone, for `Task.threadData()`. Must be cloneable. */
  readonly threadData?: unknown
  /**
   * When a thread is replaced by a new one: after a number of tasks, or a time after its start, by the clock.
   * `heapMb` has no effect: simulated threads share one heap. Defaults to never.
   */
  readonly recycle?: {
    readonly tasks?: number | undefined
    readonly heapMb?: number | undefined
    readonly age?: Duration.Input | undefined
  } | undefined
  /** No effect: bodies run on the test's own thread. */
  readonly isolation?: "thread" | "process" | undefined
  /** No effect: a test that has a task has loaded its module. */
  readonly preload?: ReadonlyArray<string | { readonly module: string }> | undefined
  /** No effect: simulate a task that exceeds its memory with `failNext`. */
  readonly resourceLimits?: {
    readonly maxOldGenerationSizeMb?: number | undefined
    readonly maxYoungGenerationSizeMb?: number | undefined
    readonly codeRangeSizeMb?: number | undefined
    readonly stackSizeMb?: number | undefined
  } | undefined
  /** No effect: bodies see the environment of the test. */
  readonly env?: Readonly<Record<string, string | undefined>> | undefined
  /** No effect. */
  readonly execArgv?: ReadonlyArray<string> | undefined
  /** No effect. */
  readonly threadName?: string | undefined
}

/**
 * The handle of a hold, returned by `BlockingTest.hold`.
 *
 * @category models
 * @since 0.1.0
 */
export interface Held {
  /**
   * Waits until a run of the task is held: its thread has entered it, its time limit counts, and its body has
   * not started. An interruption only stops the wait.
   */
  readonly started: Effect.Effect<void>
  /**
   * Lets the body run, and returns when it has run. If no run is held yet, it cancels the hold. If the run
   * has already ended, it does nothing.
   */
  readonly release: Effect.Effect<void>
}

/**
 * A recorded submission of a task, with its outcome.
 *
 * @category models
 * @since 0.1.0
 */
export interface Call<
  out Args extends ReadonlyArray<unknown> = ReadonlyArray<unknown>,
  out A = unknown,
  out E = unknown
> {
  /** The name of the task. */
  readonly task: string
  readonly module: string
  /** The arguments, as they were at submission. */
  readonly args: Args
  /** The exit that the caller got; `undefined` until the task has ended. */
  readonly exit: Exit.Exit<A, E | JoinError> | undefined
}

// -----------------------------------------------------------------------------
// Services
// -----------------------------------------------------------------------------

/**
 * Service with which a test controls its pools, through the functions of this module.
 * Every layer of this module provides it; layers that are provided together share it.
 *
 * @category services
 * @since 0.1.0
 */
export class BlockingTest extends Context.Service<BlockingTest, Control>()("@effect-blocking/vitest/BlockingTest") {}

declare const control: unique symbol

/**
 * The state of the service `BlockingTest`, for this module only.
 *
 * @category models
 * @since 0.1.0
 */
export interface Control {
  readonly [control]: never
}

const make: Effect.Effect<Control> = Effect.sync(() => new testedPool.Shared(new Plans()) as object as Control)

const shared: Effect.Effect<testedPool.Shared, never, BlockingTest> = Effect.map(
  BlockingTest,
  (control) => control as object as testedPool.Shared
)

/** Shared by all layers that are provided together. */
const layerControl: Layer.Layer<BlockingTest> = Layer.effect(BlockingTest, make)

// -----------------------------------------------------------------------------
// Layers
// -----------------------------------------------------------------------------

/**
 * Layer that provides the default pool without threads, and the service `BlockingTest`.
 *
 * **Details**
 *
 * The close of the layer shuts the pool down without waiting for the clock. A run that is still held is
 * ended, and the close dies with an error that names its task.
 *
 * A late error of a body (a throw in a timer, an unhandled rejection) is logged by the pool and does not fail
 * the test run. After the close, it is printed to the console.
 *
 * **Example** (A pool whose queue is always full)
 *
 * ```ts
 * import { BlockingTest } from "@effect-blocking/vitest"
 *
 * export const BlockingLive = BlockingTest.layer({ maxThreads: 1, queueCapacity: 0, onFull: "fail" })
 * ```
 *
 * @category layers
 * @since 0.1.0
 */
export const layer = (options?: Options): Layer.Layer<Blocking.Blocking | BlockingTest> =>
  layerPool(Blocking.Blocking, options)

/**
 * Layer that provides a named pool without threads, for the class declared with `Blocking.Pool`, and the
 * service `BlockingTest`.
 *
 * **Example** (Two pools in one test)
 *
 * ```ts
 * import { BlockingTest } from "@effect-blocking/vitest"
 * import { Layer } from "effect"
 * import { Blocking } from "effect-blocking"
 *
 * class Cpu extends Blocking.Pool<Cpu>()("app/Cpu") {}
 *
 * export const PoolsTest = Layer.merge(BlockingTest.layer(), BlockingTest.layerPool(Cpu, { maxThreads: 1 }))
 * ```
 *
 * @category layers
 * @since 0.1.0
 */
export const layerPool = <Self>(
  pool: Context.Key<Self, Blocking.Pool>,
  options: Options = {}
): Layer.Layer<Self | BlockingTest> =>
  Layer.provideMerge(
    Layer.effect(pool, Effect.flatMap(shared, (shared) => testedPool.make(pool.key, options, shared))),
    layerControl
  )

// -----------------------------------------------------------------------------
// Control
// -----------------------------------------------------------------------------

/**
 * Holds the next run of a task: a thread enters it, and its body waits for `release`.
 *
 * **When to use**
 *
 * Use to interrupt, abort or time out a task while it runs, or to keep a thread busy.
 *
 * **Details**
 *
 * Returns at once. Each handle holds one run, in order. When a held run is released, its body runs and can
 * see whether it was asked to stop. With `native: true`, the simulated thread is in native code: it cannot be
 * terminated until it is released.
 *
 * If a run is still held when the scope of the `hold` call or of the pool's layer closes, the run is ended
 * and the close dies with `Task "…" was held by BlockingTest.hold and never released`. A test that waits for
 * a run that it holds hangs; after a second, a warning names the task.
 *
 * **Example** (Interrupting a running task)
 *
 * ```ts
 * import { BlockingTest } from "@effect-blocking/vitest"
 * import { Effect, Fiber } from "effect"
 * import { Blocking, Task } from "effect-blocking"
 *
 * const work = Task.make(import.meta.url, "work", () => Task.checkpoint())
 *
 * export const test = Effect.gen(function*() {
 *   const held = yield* BlockingTest.hold(work)
 *   const fiber = yield* Effect.forkChild(Blocking.run(work))
 *   yield* held.started
 *   yield* Effect.forkChild(Fiber.interrupt(fiber))
 *   yield* Effect.yieldNow
 *   yield* held.release // the body sees the stop flag and leaves at its checkpoint
 *   yield* Fiber.await(fiber)
 * }).pipe(Effect.provide(BlockingTest.layer()))
 * ```
 *
 * @category combinators
 * @since 0.1.0
 */
export const hold: <Args extends ReadonlyArray<unknown>, A, E>(
  task: Task<Args, A, E, unknown>,
  options?: { readonly native?: boolean | undefined }
) => Effect.Effect<Held, never, BlockingTest> = Effect.fnUntraced(function*<
  Args extends ReadonlyArray<unknown>,
  A,
  E
>(task: Task<Args, A, E, unknown>, options?: { readonly native?: boolean | undefined }) {
  const { plans } = yield* shared
  const scope = yield* Effect.serviceOption(Scope.Scope)
  const hold = plans.hold(task, { native: options?.native ?? false })
  if (Option.isSome(scope)) yield* Scope.addFinalizer(scope.value, Effect.sync(() => hold.disarm()))
  hold.onHeld = () => {
    testedPool.warnIfHeld(hold)
    // Added only now: finalizers run in reverse order, and this one must run before those of the fibers
    // and spawned tasks. They wait for a grace period on a clock that no longer moves.
    if (Option.isSome(scope)) Effect.runSync(Scope.addFinalizer(scope.value, testedPool.endHeld([hold])))
  }
  return {
    started: Deferred.await(hold.started),
    release: Effect.andThen(Effect.sync(() => hold.release()), testedPool.settled)
  }
})

/**
 * Makes the next run of a task fail with a `JoinError` with the given reason. Its body does not run.
 *
 * **Details**
 *
 * Each call fails one run, in order. The run is submitted, queued and started like any other, so a reason for
 * which a pool refuses a task (`QueueFull`) comes from `join` and not from `spawn`. Unused failures are
 * discarded when the current scope (the test's) closes.
 *
 * **Example** (Testing a retry after a lost thread)
 *
 * ```ts
 * import { BlockingTest } from "@effect-blocking/vitest"
 * import { assert, it } from "@effect/vitest"
 * import { Effect } from "effect"
 * import { Blocking, JoinError, Task } from "effect-blocking"
 *
 * const add = Task.make(import.meta.url, "add", (a: number, b: number) => a + b)
 *
 * it.effect("adds again after its thread has died", () =>
 *   Effect.gen(function*() {
 *     yield* BlockingTest.failNext(add, new JoinError.WorkerExited({ exitCode: 1 }))
 *     assert.strictEqual(yield* Effect.retry(Blocking.run(add, 1, 2), { times: 1 }), 3)
 *   }).pipe(Effect.provide(BlockingTest.layer())))
 * ```
 *
 * @category combinators
 * @since 0.1.0
 */
export const failNext = <Args extends ReadonlyArray<unknown>, A, E>(
  task: Task<Args, A, E, unknown>,
  reason: JoinErrorReason
): Effect.Effect<void, never, BlockingTest> =>
  Effect.gen(function*() {
    const { plans } = yield* shared
    plans.failNext(task, reason)
    const scope = yield* Effect.serviceOption(Scope.Scope)
    if (Option.isSome(scope)) {
      yield* Scope.addFinalizer(
        scope.value,
        Effect.sync(() => plans.removeFailure(task, reason))
      )
    }
  })

/**
 * Replaces the body of a task for the lifetime of the layer. The latest stub replaces earlier ones.
 *
 * **Details**
 *
 * The body takes the task's arguments and returns its result, or a `Result` with its error. Both are cloned
 * like those of the task. For a `Task.schema`, the values pass through the schemas. A throw is a panic.
 *
 * **Example** (Avoiding real work)
 *
 * ```ts
 * import { BlockingTest } from "@effect-blocking/vitest"
 * import { assert, it } from "@effect/vitest"
 * import { Effect } from "effect"
 * import { Blocking, Task } from "effect-blocking"
 * import { scryptSync } from "node:crypto"
 *
 * const hash = Task.make(import.meta.url, "hash", (password: string, salt: string) =>
 *   scryptSync(password, salt, 64).toString("hex"))
 *
 * it.effect("hashes without the work", () =>
 *   Effect.gen(function*() {
 *     yield* BlockingTest.stub(hash, (password) => `hashed ${password}`)
 *     assert.strictEqual(yield* Blocking.run(hash, "secret", "salt"), "hashed secret")
 *   }).pipe(Effect.provide(BlockingTest.layer())))
 * ```
 *
 * @category combinators
 * @since 0.1.0
 */
export const stub = <Args extends ReadonlyArray<unknown>, A, E>(
  task: Task<Args, A, E, unknown>,
  body: (...args: Args) => NoInfer<A> | Result.Result<NoInfer<A>, NoInfer<E>>
): Effect.Effect<void, never, BlockingTest> =>
  Effect.map(shared, ({ plans }) => plans.stub(task, body as unknown as Body))

/**
 * Returns all calls submitted to the pools so far, in order, including refused ones. Tests that share the
 * layer share its calls.
 *
 * @category getters
 * @since 0.1.0
 */
export const calls: Effect.Effect<ReadonlyArray<Call>, never, BlockingTest> = Effect.map(
  shared,
  ({ calls }) => calls.map((call) => ({ ...call }))
)

/**
 * Returns the calls of one task, in order, with its types.
 *
 * **Example** (Asserting on arguments)
 *
 * ```ts
 * import { BlockingTest } from "@effect-blocking/vitest"
 * import { assert, it } from "@effect/vitest"
 * import { Effect } from "effect"
 * import { Blocking, Task } from "effect-blocking"
 *
 * const add = Task.make(import.meta.url, "add", (a: number, b: number) => a + b)
 *
 * it.effect("adds what it was given", () =>
 *   Effect.gen(function*() {
 *     yield* Blocking.run(add, 1, 2)
 *     const calls = yield* BlockingTest.callsOf(add)
 *     assert.deepStrictEqual(calls.map(({ args }) => args), [[1, 2]])
 *   }).pipe(Effect.provide(BlockingTest.layer())))
 * ```
 *
 * @category getters
 * @since 0.1.0
 */
export const callsOf = <Args extends ReadonlyArray<unknown>, A, E>(
  { module, name }: Task<Args, A, E, unknown>
): Effect.Effect<ReadonlyArray<Call<Args, A, E>>, never, BlockingTest> =>
  Effect.map(
    calls,
    (calls): ReadonlyArray<unknown> => calls.filter((call) => call.module === module && call.task === name)
  ) as Effect.Effect<ReadonlyArray<Call<Args, A, E>>, never, BlockingTest>

/**
 * Occupies all threads and the whole queue of a pool, so that the next task finds it full.
 *
 * **Details**
 *
 * Returns when the pool is full. The filling tasks are not recorded as calls, and are removed by `drainQueue`
 * or when the layer closes. `pool` is the class of the pool; it defaults to the default pool, or to the only
 * one. Dies if the test has no such pool.
 *
 * @category combinators
 * @since 0.1.0
 */
export const fillQueue = <Self = never>(
  pool?: Context.Key<Self, Blocking.Pool>
): Effect.Effect<void, never, BlockingTest> => Effect.flatMap(shared, (shared) => shared.find(pool?.key).fill)

/**
 * Removes the tasks of `fillQueue`, and returns when the tasks that waited have run as far as they can. Dies
 * if the test has no such pool.
 *
 * @category combinators
 * @since 0.1.0
 */
export const drainQueue = <Self = never>(
  pool?: Context.Key<Self, Blocking.Pool>
): Effect.Effect<void, never, BlockingTest> => Effect.flatMap(shared, (shared) => shared.find(pool?.key).drain)

/**
 * Ends the simulated thread of a held run, of the given task or of any task. The run fails with reason
 * `WorkerExited`, and the thread is replaced.
 *
 * **Details**
 *
 * Of several held runs, it takes the one with the earliest `hold` call. Dies if no run is held. `exitCode`
 * defaults to 1.
 *
 * @category combinators
 * @since 0.1.0
 */
export const killThread = <Args extends ReadonlyArray<unknown>, A, E>(
  task?: Task<Args, A, E, unknown>,
  options?: { readonly exitCode?: number | undefined }
): Effect.Effect<void, never, BlockingTest> =>
  Effect.flatMap(shared, ({ plans }) => {
    const thread = plans.held(task)
    if (thread === undefined) {
      const which = task === undefined ? "no task" : `no run of task "${task.name}"`
      return Effect.die(new Error(`BlockingTest.killThread: ${which} is held; hold it and wait for \`started\` first`))
    }
    thread.exit(options?.exitCode ?? 1)
    return testedPool.settled
  })

/**
 * Shuts a pool down like the close of its layer, but by the clock: running tasks have `shutdownTimeout` to
 * end, are then asked to stop, and are terminated after `gracePeriod`.
 *
 * **Details**
 *
 * Waits until the pool is closed. With held runs, this happens only when the test moves the clock, so fork
 * it. Later tasks are refused with reason `ShutDown`. An interruption does not stop the shutdown. Dies if the
 * test has no such pool.
 *
 * @category combinators
 * @since 0.1.0
 */
export const close = <Self = never>(
  pool?: Context.Key<Self, Blocking.Pool>
): Effect.Effect<void, never, BlockingTest> => Effect.flatMap(shared, (shared) => shared.find(pool?.key).close)
