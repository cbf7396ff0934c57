/**
 * Layers that run `effect-blocking` tasks on Node's worker threads, or in processes.
 *
 * `layer` provides the default pool, `layerPool` a named one, `layerConfig` either
 * from configuration. A layer owns its threads: they start on demand, retire when
 * idle, and are gone when the layer's scope has closed, within `shutdownTimeout +
 * gracePeriod + terminateTimeout`, whatever they do.
 *
 * @module
 * @since 0.1.0
 */
import * as Blocking from "effect-blocking/Blocking"
import * as Task from "effect-blocking/Task"
import * as ThreadHost from "effect-blocking/ThreadHost"
import * as Config from "effect/Config"
import type * as Context from "effect/Context"
import type * as Duration from "effect/Duration"
import * as Effect from "effect/Effect"
import * as Layer from "effect/Layer"
import type * as Runtime from "effect/Runtime"
import type * as Scope from "effect/Scope"
import type { InvalidOptions } from "./internal/invalidOptions.ts"
import { main } from "./internal/main.ts"
import { resolve } from "./internal/options.ts"
import { processHost } from "./internal/processHost.ts"
import { assertSupported } from "./internal/supported.ts"
import { version } from "./internal/version.ts"
import { workerHost } from "./internal/workerHost.ts"

assertSupported(process.versions.node)

// -----------------------------------------------------------------------------
// Models
// -----------------------------------------------------------------------------

/**
 * How a pool is sized, limited and shut down. Every option has a default.
 *
 * @category models
 * @since 0.1.0
 */
export interface Options {
  /** Idle threads that the pool keeps; they start with the layer. An integer from 0 to `maxThreads`. Defaults to 0. */
  readonly minThreads?: number | undefined
  /**
   * The most threads at once. An integer from 1. Defaults to the greater of 4 and
   * `os.availableParallelism()`, which heeds CPU affinity and container limits. For work
   * that only computes, `os.availableParallelism()` is enough, or one less to leave a
   * core to the event loop.
   */
  readonly maxThreads?: number | undefined
  /** How long a thread above `minThreads` stays idle before it retires. Defaults to 10 seconds. */
  readonly keepAlive?: Duration.Input | undefined
  /** The most tasks that wait for a thread. An integer from 0. Defaults to 10 000. */
  readonly queueCapacity?: number | undefined
  /**
   * The behavior when the queue is full: `"suspend"` suspends the submitter until there
   * is room, `"fail"` fails the task with reason `QueueFull`. Defaults to `"suspend"`.
   */
  readonly onFull?: "suspend" | "fail" | undefined
  /** How long running tasks may continue when the pool shuts down, before they are stopped. Defaults to 5 seconds. */
  readonly shutdownTimeout?: Duration.Input | undefined
  /** The time between a task's stop flag and the termination of its thread. Defaults to 200 ms. */
  readonly gracePeriod?: Duration.Input | undefined
  /**
   * How long the termination of a thread may take before the thread is abandoned: it is in
   * native code. Up to `maxThreads` abandoned threads are replaced; each further one takes
   * a place in the pool until it has ended. Defaults to 1 second.
   */
  readonly terminateTimeout?: Duration.Input | undefined
  /**
   * Whether a thread of the pool is a worker thread of this process or a process of its
   * own, for native code that blocks for ever or crashes. A process can be killed at any
   * time, and its crash loses only its task. It takes more memory and time per call, and
   * shares no memory: a `SharedArrayBuffer` or `MessagePort` cannot cross, and `Task.move`
   * copies. Defaults to `"thread"`.
   */
  readonly isolation?: "thread" | "process" | undefined
  /** Names the threads, as `<name>-1`, `<name>-2` … Defaults to the key of the pool. */
  readonly threadName?: string | undefined
  /** Sent to each thread once, for `Task.threadData()`. Must be cloneable. */
  readonly threadData?: unknown
  /**
   * Limits of each thread's memory, as in `worker_threads`. With `isolation: "process"`
   * they become V8 flags: `codeRangeSizeMb` has no flag, `stackSizeMb` must stay below the
   * system's limit for a process, and a process that exceeds its heap aborts: that is
   * `WorkerExited` with signal `SIGABRT`, not `OutOfMemory`.
   */
  readonly resourceLimits?: {
    readonly maxOldGenerationSizeMb?: number | undefined
    readonly maxYoungGenerationSizeMb?: number | undefined
    readonly codeRangeSizeMb?: number | undefined
    readonly stackSizeMb?: number | undefined
  } | undefined
  /** The environment variables of the threads. Defaults to a copy of the program's. */
  readonly env?: Readonly<Record<string, string | undefined>> | undefined
  /**
   * The Node flags of the threads. Defaults to the program's flags that say how it runs, not
   * what it runs (`--eval`, `--test`, `--watch`). Flags that a thread cannot have are left
   * out; for processes, only those of the inspector are.
   */
  readonly execArgv?: ReadonlyArray<string> | undefined
  /**
   * When a thread is replaced by a new one: after `tasks` tasks, when its heap exceeds
   * `heapMb` after a task (including garbage not yet collected), or at `age` after its
   * start. The replacement is ready first, so no task waits for it. Until the old thread has
   * released its `threadLocal` values and has ended, there is one thread more than
   * `maxThreads`. Threads are replaced one at a time. Defaults to never.
   */
  readonly recycle?: {
    readonly tasks?: number | undefined
    readonly heapMb?: number | undefined
    readonly age?: Duration.Input | undefined
  } | undefined
  /** Modules that each thread loads when it starts: tasks that they define, or their urls. */
  readonly preload?: ReadonlyArray<string | { readonly module: string }> | undefined
}

// -----------------------------------------------------------------------------
// Errors
// -----------------------------------------------------------------------------

export {
  /**
   * An option is out of range, of the wrong kind, or unknown. The error names the pool, the
   * option, and the expected value.
   *
   * @category errors
   * @since 0.1.0
   */
  InvalidOptions
} from "./internal/invalidOptions.ts"

// -----------------------------------------------------------------------------
// Constructors
// -----------------------------------------------------------------------------

/**
 * Creates a pool of threads, or processes, that shuts down with the scope.
 *
 * **Details**
 *
 * `key` names the pool in logs and statistics. Starts `minThreads` threads. Fails with
 * `InvalidOptions`. Dies in a pool thread, and if the versions of `effect-blocking` and this
 * package differ.
 *
 * @category constructors
 * @since 0.1.0
 */
export const make = Effect.fnUntraced(function*(
  key: string,
  options: Options = {}
): Effect.fn.Return<Blocking.Pool, InvalidOptions, Scope.Scope> {
  const refusal = ThreadHost.versionConflict("@effect-blocking/platform-node", version, import.meta.url)
  if (refusal !== undefined) return yield* Effect.die(new Error(refusal))
  // If a pool thread loads a module that starts the program, each thread would start a pool of its own, and so on.
  if (Task.inPoolThread()) return yield* Effect.die(new Error(startedInThread))
  const { host, isolation, scheduler } = yield* resolve(key, options)
  return yield* ThreadHost.makePool(key, isolation === "process" ? processHost(host) : workerHost(host), scheduler)
})

const startedInThread = "A pool was made inside a pool thread: a module that defines a task, or that Node preloads " +
  "(--import, --require, NODE_OPTIONS), also starts the program. Move the task to a module of its own, start the program " +
  "with NodeBlocking.runMain, or guard it with Task.inPoolThread()"

// -----------------------------------------------------------------------------
// Layers
// -----------------------------------------------------------------------------

/**
 * Layer that provides the default pool on worker threads.
 *
 * **Details**
 *
 * With options it can fail with `InvalidOptions`; without options it cannot fail. Closing
 * the layer shuts the pool down: new tasks are refused, queued ones cancelled (except
 * `mandatory` ones), running ones given `shutdownTimeout` and then stopped. Everything
 * that had to be cancelled, terminated or abandoned is logged.
 *
 * **Example** (At most two threads, and no waiting when they are busy)
 *
 * ```ts
 * import { NodeBlocking } from "@effect-blocking/platform-node"
 *
 * export const BlockingLive = NodeBlocking.layer({ maxThreads: 2, queueCapacity: 100, onFull: "fail" })
 * ```
 *
 * @category layers
 * @since 0.1.0
 */
export const layer: {
  (): Layer.Layer<Blocking.Blocking>
  (options: Options | undefined): Layer.Layer<Blocking.Blocking, InvalidOptions>
} = (options?: Options): Layer.Layer<Blocking.Blocking> =>
  layerPool(Blocking.Blocking, options) as Layer.Layer<Blocking.Blocking>

/**
 * Layer that provides a named pool on worker threads, for a class that `Blocking.Pool`
 * declares. With options it can fail with `InvalidOptions`; without options it cannot fail.
 *
 * **Example** (A pool as large as the machine, beside the default one)
 *
 * ```ts
 * import { NodeBlocking } from "@effect-blocking/platform-node"
 * import { Layer } from "effect"
 * import { Blocking } from "effect-blocking"
 * import { availableParallelism } from "node:os"
 *
 * class Cpu extends Blocking.Pool<Cpu>()("app/Cpu") {}
 *
 * export const PoolsLive = Layer.merge(
 *   NodeBlocking.layer(),
 *   NodeBlocking.layerPool(Cpu, { maxThreads: availableParallelism() })
 * )
 * ```
 *
 * @category layers
 * @since 0.1.0
 */
export const layerPool: {
  <Self>(pool: Context.Key<Self, Blocking.Pool>): Layer.Layer<Self>
  <Self>(
    pool: Context.Key<Self, Blocking.Pool>,
    options: Options | undefined
  ): Layer.Layer<Self, InvalidOptions>
} = <Self>(pool: Context.Key<Self, Blocking.Pool>, options?: Options): Layer.Layer<Self> =>
  // Without options, nothing can be invalid.
  Layer.effect(pool, make(pool.key, options)) as Layer.Layer<Self>

/**
 * Layer that provides the default pool with options from configuration.
 *
 * **Example** (The number of threads from the environment)
 *
 * ```ts
 * import { NodeBlocking } from "@effect-blocking/platform-node"
 * import { Config } from "effect"
 *
 * export const BlockingLive = NodeBlocking.layerConfig({
 *   maxThreads: Config.Int("BLOCKING_THREADS").pipe(Config.withDefault(4))
 * })
 * ```
 *
 * @category layers
 * @since 0.1.0
 */
export const layerConfig = (
  options: Config.Wrap<Options>
): Layer.Layer<Blocking.Blocking, InvalidOptions | Config.ConfigError> =>
  Layer.effect(
    Blocking.Blocking,
    Effect.flatMap(Config.unwrap(options), (options) => make(Blocking.Blocking.key, options))
  )

// -----------------------------------------------------------------------------
// Running
// -----------------------------------------------------------------------------

/**
 * Runs an effect as the program: logs its failure, sets the exit code, shuts its pools
 * down on SIGINT and SIGTERM, and exits even if a thread is in native code that cannot be
 * interrupted.
 *
 * **When to use**
 *
 * Use in place of `NodeRuntime.runMain` in a program with a pool.
 *
 * **Details**
 *
 * The first SIGINT or SIGTERM interrupts the effect, so that its scopes close and its
 * pools shut down. The second shuts all pools down at once: it skips the rest of
 * `shutdownTimeout`, also for pools whose scopes have not begun to close, so that they are
 * gone after `gracePeriod` and `terminateTimeout`. The third exits at once, with code 130 for
 * SIGINT and 143 for SIGTERM. The same signal again within 100 ms is not counted.
 *
 * The exit code is that of `NodeRuntime.runMain`: 0, 1 or the error's own
 * (`Runtime.errorExitCode`), and 130 after an interruption by either signal. `teardown` can
 * choose another. After a success without a signal the process ends when its event loop
 * is empty. Otherwise it exits as soon as stdout and stderr are written out, or after 2
 * seconds if nobody reads them.
 *
 * Node itself waits at any exit for a thread in native code. If there may be one, the
 * process is replaced by a shell that exits with the code. This holds for the exit of
 * `runMain`, for `process.exit`, and for an uncaught error that ends the program. The `exit`
 * listeners run before, each once.
 *
 * Does nothing in a pool thread: a module can define tasks and start the program, and a
 * thread that loads it does not start it again.
 *
 * **Gotchas**
 *
 * A signal is handled only in the event loop, not while the program's own thread blocks.
 *
 * A process that is replaced does not clean up native addons, and leaves the child processes
 * of its tasks (`execSync`) behind.
 *
 * A process cannot be replaced on Windows, nor under Node's permission model without
 * `--allow-child-process`. There the exit is Node's own if all threads end within one second. If
 * one is in native code, the process is killed after the listeners have run; its exit code is
 * then 1 on Windows and 137 elsewhere. Windows also has no SIGTERM.
 *
 * **Example** (Task and program in one file)
 *
 * ```ts
 * import { NodeBlocking } from "@effect-blocking/platform-node"
 * import { Effect } from "effect"
 * import { Blocking, Task } from "effect-blocking"
 *
 * const double = Task.make(import.meta.url, "double", (n: number) => n * 2)
 *
 * const program = Blocking.run(double, 21).pipe(
 *   Effect.flatMap((n) => Effect.log(n)),
 *   Effect.provide(NodeBlocking.layer())
 * )
 *
 * NodeBlocking.runMain(program)
 * ```
 *
 * @category running
 * @since 0.1.0
 */
export const runMain = <A, E>(
  effect: Effect.Effect<A, E>,
  options?: {
    readonly disableErrorReporting?: boolean | undefined
    readonly teardown?: Runtime.Teardown | undefined
  }
): void => {
  if (!Task.inPoolThread()) main(effect, options)
}
