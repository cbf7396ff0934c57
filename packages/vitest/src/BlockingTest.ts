/**
 * Test layers for `effect-blocking`: the semantics of a pool of threads, without a thread.
 *
 * `layer` provides the default pool, `layerPool` a named one, each with the real scheduler
 * over simulated threads. Bodies run on the test's own thread, one at a time; arguments,
 * results and errors are really cloned; all time is that of the `Clock`, thus of
 * `TestClock` in `it.effect`. With a layer comes the service `BlockingTest`, over which the
 * functions of this module hold, fail, replace and observe what is run.
 *
 * **Details**
 *
 * A task is known by its module and name: a hold, a failure or a stub of a task is also for
 * all that `Task.with` derives from it, in all pools that are provided together.
 *
 * **Gotchas**
 *
 * A body that runs until it is asked to stop never ends here, because nobody can ask while
 * it runs: `hold` it, ask, and release it.
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
 * How the pool of a test is sized and limited: the options of `NodeBlocking`, so that one
 * object serves both. Every option has a default; those of time are the ones of
 * `NodeBlocking`. One that is out of range, or not there, is a defect of the layer.
 *
 * **Details**
 *
 * Options about real threads (`isolation`, `threadName`, `resourceLimits`, `env`,
 * `execArgv`, `preload`) are validated and do nothing.
 *
 * @category models
 * @since 0.1.0
 */
export interface Options {
  /** Idle threads that are kept. An integer from 0 to `maxThreads`. Defaults to 0. */
  readonly minThreads?: number | undefined
  /** The most tasks that can be held at once. An integer from 1. Defaults to 4, on any machine. */
  readonly maxThreads?: number | undefined
  /** How long a thread above `minThreads` stays idle before it retires. Defaults to 10 seconds. */
  readonly keepAlive?: Duration.Input | undefined
  /** The most tasks that wait for a thread. An integer from 0. Defaults to 100. */
  readonly queueCapacity?: number | undefined
  /** Whether a full queue suspends the submitter, or fails the task with `QueueFull`. Defaults to `"suspend"`. */
  readonly onFull?: "suspend" | "fail" | undefined
  /** How long running tasks may go on when the pool is closed. Defaults to 5 seconds. */
  readonly shutdownTimeout?: Duration.Input | undefined
  /** From the stop flag of a task to the termination of its thread. Defaults to 200 ms. */
  readonly gracePeriod?: Duration.Input | undefined
  /** How long a thread may take to be terminated before it is abandoned. Defaults to 1 second. */
  readonly terminateTimeout?: Duration.Input | undefined
  /** Given to each simulated thread, as a clone, for `Task.threadData()`. Must be cloneable. */
  readonly threadData?: unknown
  /**
   * When a thread is replaced by a new one: after so many tasks, or so long after its start,
   * by the clock. `heapMb` does nothing: simulated threads share one heap. Defaults to never.
   */
  readonly recycle?: {
    readonly tasks?: number | undefined
    readonly heapMb?: number | undefined
    readonly age?: Duration.Input | undefined
  } | undefined
  /** Does nothing: bodies run on the test's own thread. */
  readonly isolation?: "thread" | "process" | undefined
  /** Does nothing: the module of a task is loaded when the test has the task. */
  readonly preload?: ReadonlyArray<string | { readonly module: string }> | undefined
  /** Does nothing: see `failNext` for a task that outgrows its memory. */
  readonly resourceLimits?: {
    readonly maxOldGenerationSizeMb?: number | undefined
    readonly maxYoungGenerationSizeMb?: number | undefined
    readonly codeRangeSizeMb?: number | undefined
    readonly stackSizeMb?: number | undefined
  } | undefined
  /** Does nothing: bodies see the environment of the test. */
  readonly env?: Readonly<Record<string, string | undefined>> | undefined
  /** Does nothing. */
  readonly execArgv?: ReadonlyArray<string> | undefined
  /** Does nothing. */
  readonly threadName?: string | undefined
}

/**
 * A run that is held, or will be.
 *
 * @category models
 * @since 0.1.0
 */
export interface Held {
  /**
   * Waits until a run of the task is held: its thread has entered it, its time limit
   * counts, and its body has not begun. Interrupting it stops the waiting only.
   */
  readonly started: Effect.Effect<void>
  /**
   * Lets the body run, and returns when it has. Before a run is held it lets the next one
   * pass; after the run has ended otherwise it does nothing.
   */
  readonly release: Effect.Effect<void>
}

/**
 * A task that was submitted, and what became of it.
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
  /** As they were at the submission. */
  readonly args: Args
  /** What the caller got; `undefined` while it has not ended. */
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
 * What `BlockingTest` holds, for this module only.
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

/** One for all layers: built once where several are provided together. */
const layerControl: Layer.Layer<BlockingTest> = Layer.effect(BlockingTest, make)

// -----------------------------------------------------------------------------
// Layers
// -----------------------------------------------------------------------------

/**
 * Layer that provides the default pool without a thread, and its control.
 *
 * **Details**
 *
 * Its close shuts the pool down, without waiting for the clock. A run that is still held
 * then is ended, and the close dies with an error that names its task.
 *
 * An error that a body leaves behind, in a timer or in a promise that nobody handles, is
 * logged by the pool and does not fail the test run; after the close it is a line on the
 * console.
 *
 * **Example** (A pool that is full at once)
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
 * Layer that provides a named pool without a thread, by the class that `Blocking.Pool`
 * declares, and its control.
 *
 * **Example** (Two pools with one control)
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
 * Returns at once; each handle holds one run, in order. When a held run is released its
 * body runs, and sees whether it was asked to stop. With `native: true` the thread is
 * simulated to be in native code: it cannot be terminated before it is released.
 *
 * A run that is still held when the scope closes in which `hold` was called, or that of the
 * pool's layer, is ended there, and the close dies with
 * `Task "…" was held by BlockingTest.hold and never released`. A test that itself waits for
 * the run that it holds hangs; after a second a warning names the task.
 *
 * **Example** (Interrupting a task that runs)
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
 *   yield* held.release // the body sees the stop flag and leaves by its checkpoint
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
    testedPool.watchHeld(hold)
    // Only now: the scope must find it before the fibers and the spawned tasks that it
    // interrupts, which wait for a grace period of which nobody moves the clock.
    if (Option.isSome(scope)) Effect.runSync(Scope.addFinalizer(scope.value, testedPool.endHeld([hold])))
  }
  return {
    started: Deferred.await(hold.started),
    release: Effect.andThen(Effect.sync(() => hold.release()), testedPool.settled)
  }
})

/**
 * Makes the next run of a task end with a `JoinError` of that reason. Its body does not run.
 *
 * **Details**
 *
 * Called several times, it fails as many runs, in order. The run is submitted, queued and
 * started as any other, so that a reason for which a pool refuses a task (`QueueFull`) comes
 * from `join` and not from `spawn`. Unused failures are discarded when the current scope
 * (the test's) closes.
 *
 * **Example** (A caller that survives a lost thread)
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
    if (Option.isSome(scope)) yield* Scope.addFinalizer(scope.value, Effect.sync(() => plans.forgive(task, reason)))
  })

/**
 * Replaces the body of a task for as long as the layer lives. The latest counts.
 *
 * **Details**
 *
 * The body takes the task's arguments and gives its result, or a `Result` with its error;
 * both are cloned as those of the task. With a `Task.schema` its values pass through the
 * schemas. What it throws is a panic.
 *
 * **Example** (No real hashing)
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
 * it.effect("hashes, without the work of it", () =>
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
 * Returns what was submitted so far to the pools, in order, the refused included; of all
 * tests that share the layer.
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
 * **Example** (What was hashed)
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
 * Occupies all threads of a pool and all of its queue, so that the next task finds it full.
 *
 * **Details**
 *
 * Returns when it is full. What fills it is in no record of calls, and is freed by
 * `drainQueue` or with the layer. `pool` is the class of the pool; by default the default
 * pool, or the only one. Dies if there is no such pool.
 *
 * @category combinators
 * @since 0.1.0
 */
export const fillQueue = <Self = never>(
  pool?: Context.Key<Self, Blocking.Pool>
): Effect.Effect<void, never, BlockingTest> => Effect.flatMap(shared, (shared) => shared.find(pool?.key).fill)

/**
 * Frees what `fillQueue` has occupied, and returns when tasks that waited have run, as far
 * as they can.
 *
 * @category combinators
 * @since 0.1.0
 */
export const drainQueue = <Self = never>(
  pool?: Context.Key<Self, Blocking.Pool>
): Effect.Effect<void, never, BlockingTest> => Effect.flatMap(shared, (shared) => shared.find(pool?.key).drain)

/**
 * Ends the simulated thread under a held run, of that task or of any: the run fails with
 * reason `WorkerExited`, and its thread is replaced.
 *
 * **Details**
 *
 * Takes the run that was the first to be held by `hold`; dies if there is none. `exitCode`
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
 * Shuts a pool down, as the close of its layer does, but by the clock: running tasks have
 * `shutdownTimeout`, then the flag, then `gracePeriod`.
 *
 * **Details**
 *
 * Waits until the pool is closed, which with held runs takes as long as the test moves the
 * clock: fork it. Later tasks are refused with reason `ShutDown`. Interrupting it does not
 * stop the shutdown. Dies if there is no such pool.
 *
 * @category combinators
 * @since 0.1.0
 */
export const close = <Self = never>(
  pool?: Context.Key<Self, Blocking.Pool>
): Effect.Effect<void, never, BlockingTest> => Effect.flatMap(shared, (shared) => shared.find(pool?.key).close)
