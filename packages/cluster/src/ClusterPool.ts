/**
 * Runs tasks on more than one machine: a farm of runners, each with a pool.
 *
 * `ClusterPool.Service` declares a farm. Runners provide it with `layerRunner`, programs that only use
 * it with `layerClient`, and tests with `layerLocal`.
 *
 * **Details**
 *
 * `run` calls a runner that has a free thread, at most once. `submit` stores a task and gives a receipt
 * for its result; a runner with a free thread runs the task, at least once. The queue, its locks and
 * retries, the transport and the workflows are Effect's.
 *
 * @module
 * @since 0.1.0
 */
import * as Blocking from "effect-blocking/Blocking"
import type { JoinError } from "effect-blocking/JoinError"
import type { SchemaTask } from "effect-blocking/Task"
import * as Clock from "effect/Clock"
import * as Context from "effect/Context"
import type * as Duration from "effect/Duration"
import * as Effect from "effect/Effect"
import type * as Exit from "effect/Exit"
import * as Fiber from "effect/Fiber"
import * as Layer from "effect/Layer"
import * as Metric from "effect/Metric"
import type * as Option from "effect/Option"
import * as RpcServer from "effect/rpc/RpcServer"
import * as Schedule from "effect/Schedule"
import * as Schema from "effect/Schema"
import type * as Scope from "effect/Scope"
import type * as SocketServer from "effect/socket/SocketServer"
import * as Activity from "effect/workflow/Activity"
import * as WorkflowEngine from "effect/workflow/WorkflowEngine"
import { ClusterPoolError } from "./ClusterPoolError.ts"
import { ClusterStorage, layerMemory } from "./ClusterStorage.ts"
import { Caller } from "./internal/caller.ts"
import { type AnyTask, define, type Definition } from "./internal/definition.ts"
import { type Call, Farm as FarmImpl } from "./internal/farm.ts"
import type { InvalidOptions } from "./internal/invalidOptions.ts"
import { Envelope, group, queueName } from "./internal/messages.ts"
import { busyGauge } from "./internal/metrics.ts"
import { resolveClient, type ResolvedClient, type ResolvedRunner, resolveRunner } from "./internal/options.ts"
import { type Parts, partsKey } from "./internal/parts.ts"
import { Runner } from "./internal/runner.ts"
import { listen } from "./internal/transport.ts"

// -----------------------------------------------------------------------------
// Models
// -----------------------------------------------------------------------------

/**
 * A task of a farm: by itself, or with the tag and the version under which it is stored and sent.
 *
 * @category models
 * @since 0.1.0
 */
export type FarmTask = SchemaTask<never, unknown, unknown, unknown> | {
  readonly task: SchemaTask<never, unknown, unknown, unknown>
  /** The name in the storage. Keep it when files or functions are renamed. Defaults to the task's name. */
  readonly tag?: string
  /**
   * Increase it when submitted payloads no longer fit the body. A runner only runs its own version.
   * Defaults to 1.
   */
  readonly version?: number
}

/**
 * The options of `submit`.
 *
 * @category models
 * @since 0.1.0
 */
export interface SubmitOptions {
  /**
   * Identifies the submission: a task is stored once under a key, and its receipt can be found by it.
   * Up to 255 characters.
   */
  readonly key: string
  /** The time before a runner may take it. Zero by default. */
  readonly delay?: Duration.Input | undefined
}

/**
 * The state of a submitted task: `pending` while it waits or runs, then one of the others. Those are
 * final, except that a `parked` task can be put back.
 *
 * @category models
 * @since 0.1.0
 */
export type ReceiptState = "pending" | "succeeded" | "failed" | "cancelled" | "parked"

/**
 * The progress of a submitted task.
 *
 * @category models
 * @since 0.1.0
 */
export interface ReceiptStatus {
  readonly state: ReceiptState
  /** The number of times that its body was started. */
  readonly executions: number
  /** The id of the runner that started it last. */
  readonly runner: string | undefined
  readonly version: number
  readonly submittedMillis: number
  readonly updatedMillis: number
}

/**
 * A handle to a submitted task, in any program of the farm.
 *
 * @category models
 * @since 0.1.0
 */
export interface Receipt<out A, out E> {
  /** The tag of the task. */
  readonly task: string
  readonly key: string
  /**
   * Waits for the result. Fails with the task's own error, or with `ClusterPoolError` and reason
   * `Parked`, `Cancelled` or `ReceiptNotFound`. An interruption ends the wait, not the task. Failures
   * of the storage are logged and retried.
   *
   * Inside the transaction of its `submit` it fails with `ReceiptNotFound`: no runner sees the task yet.
   */
  readonly await: Effect.Effect<A, E | ClusterPoolError>
  /** The result if the task is settled, without waiting. */
  readonly poll: Effect.Effect<Option.Option<Exit.Exit<A, E | ClusterPoolError>>, ClusterPoolError>
  /**
   * Cancels the task. If it runs, its body is interrupted within a fifth of `lockExpiration`. `false` if
   * it was settled before, or the storage does not have it.
   */
  readonly cancel: Effect.Effect<boolean, ClusterPoolError>
  /** `None` if the storage does not have it, such as `timeToLive` after it was settled. */
  readonly status: Effect.Effect<Option.Option<ReceiptStatus>, ClusterPoolError>
}

/**
 * A task that has used all its attempts.
 *
 * @category models
 * @since 0.1.0
 */
export interface ParkedTask {
  readonly tag: string
  readonly key: string
  readonly version: number
  readonly executions: number
  /** The error of the last attempt; `undefined` if its runner died, or no runner had its version. */
  readonly last: JoinError | undefined
  readonly detail: string
  readonly submittedMillis: number
  readonly parkedMillis: number
}

/**
 * The submitted tasks in the storage, and the runners.
 *
 * @category models
 * @since 0.1.0
 */
export interface FarmStats {
  /** Submitted tasks by state. */
  readonly submitted: Readonly<Record<ReceiptState, number>>
  /** Executions after the first, over all submitted tasks. */
  readonly repeated: number
  readonly runners: ReadonlyArray<RunnerStats>
}

/**
 * A live runner, as it last reported.
 *
 * @category models
 * @since 0.1.0
 */
export interface RunnerStats {
  readonly id: string
  /** Its host, or the URL of its WebSocket. */
  readonly host: string
  /** 0: it takes no calls, only submitted tasks. */
  readonly port: number
  readonly threads: number
  /** Bodies that run there, or wait there for a thread. */
  readonly busy: number
  readonly startedMillis: number
}

/**
 * The operations of a farm.
 *
 * @category models
 * @since 0.1.0
 */
export interface Farm {
  /** See `FarmClass.run`. */
  readonly run: <Args extends ReadonlyArray<unknown>, A, E, R>(
    task: SchemaTask<Args, A, E, R>,
    ...args: { [K in keyof Args]: Args[K] }
  ) => Effect.Effect<A, E | JoinError | ClusterPoolError>
  /** See `FarmClass.submit`. */
  readonly submit: <Args extends ReadonlyArray<unknown>, A, E, R>(
    task: SchemaTask<Args, A, E, R>,
    ...args: [...{ [K in keyof Args]: Args[K] }, options: SubmitOptions]
  ) => Effect.Effect<Receipt<A, E>, ClusterPoolError>
  /** See `FarmClass.receipt`. */
  readonly receipt: <Args extends ReadonlyArray<unknown>, A, E, R>(
    task: SchemaTask<Args, A, E, R>,
    key: string
  ) => Effect.Effect<Option.Option<Receipt<A, E>>, ClusterPoolError>
  /** See `FarmClass.parked`. */
  readonly parked: (limit?: number) => Effect.Effect<ReadonlyArray<ParkedTask>, ClusterPoolError>
  /** See `FarmClass.putBack`. */
  readonly putBack: (
    parked: { readonly tag: string; readonly key: string }
  ) => Effect.Effect<boolean, ClusterPoolError>
  /** See `FarmClass.stats`. */
  readonly stats: Effect.Effect<FarmStats, ClusterPoolError>
}

/**
 * Where a runner takes calls, and the address that it tells other programs.
 *
 * @category models
 * @since 0.1.0
 */
export interface ListenOptions {
  /** Defaults to 127.0.0.1: only programs of this machine can call it. */
  readonly host?: string
  /** Defaults to any free port. */
  readonly port?: number
  /**
   * `"tcp"`, or `"websocket"` where only HTTP gets through. Callers take the transport from the
   * runner's address. Defaults to `"tcp"`.
   */
  readonly transport?: "tcp" | "websocket"
  /**
   * The host that other programs connect to, if it is another one than `host`: required for a `host`
   * that stands for all interfaces, such as `"0.0.0.0"`. With `"websocket"` also a URL, such as that of
   * a proxy in front of the runner: `"wss://farm.example.com/runner-1"`.
   */
  readonly advertise?: string
}

/**
 * The options of a runner.
 *
 * @category models
 * @since 0.1.0
 */
export interface RunnerOptions<P = Blocking.Blocking> {
  /** The pool that runs the tasks. Defaults to that of `Blocking`. */
  readonly pool?: Context.Key<P, Blocking.Pool> | undefined
  /** The most tasks that it runs at once, including calls. Defaults to the pool's `maxThreads`. */
  readonly concurrency?: number | undefined
  /** Where it takes calls. `false`: it takes only submitted tasks. */
  readonly listen?: ListenOptions | false | undefined
  /**
   * Attempts of a submitted task that fails with a `JoinError`, or whose runner dies, before it is
   * parked. The task's own errors are results and are not retried. Defaults to 3.
   */
  readonly maxAttempts?: number | undefined
  /** The delays between attempts. Defaults to one second, doubling up to 5 minutes. */
  readonly retrySchedule?: Schedule.Schedule<unknown, number> | undefined
  /** The time that a shutdown waits for running tasks, before it gives them back. Defaults to 5 seconds. */
  readonly shutdownTimeout?: Duration.Input | undefined
  /** The time that a submitted task waits for a runner of its version, before it is parked. Defaults to 5 minutes. */
  readonly incompatibleTimeout?: Duration.Input | undefined
  /** See `ClientOptions`. */
  readonly maxPayload?: number | undefined
  /** See `ClientOptions`. */
  readonly patience?: Duration.Input | undefined
}

/**
 * The options of a client: a program that uses a farm and runs no tasks.
 *
 * @category models
 * @since 0.1.0
 */
export interface ClientOptions {
  /** The most characters of JSON in a payload. Give runners the same. Defaults to 1 000 000. */
  readonly maxPayload?: number | undefined
  /** The time that `run` waits for a runner, before it fails with `NoRunner`. Defaults to 10 seconds. */
  readonly patience?: Duration.Input | undefined
}

/**
 * The class of a farm: a service key with its operations and layers. Runners provide `Callbacks`, the
 * callbacks of the tasks.
 *
 * @category models
 * @since 0.1.0
 */
export interface FarmClass<in out Self, in out Key extends string, out Callbacks>
  extends Context.ServiceClass<Self, Key, Farm>
{
  /**
   * Runs a task on a runner that has a free thread, at most once, and returns its result.
   *
   * **Details**
   *
   * Waits for a runner (up to `patience`), for one of its threads, and for the body. Fails as on a pool,
   * or with a `ClusterPoolError`: `NoRunner` if no runner was reached, `RunnerLost` if the runner ended
   * while it had the task. An interruption interrupts the body on the runner, and so does the death of
   * this program. The task runs with the options that it has here. A runner with another version, or
   * with schemas that do not fit, refuses it with `Incompatible`.
   */
  readonly run: <Args extends ReadonlyArray<unknown>, A, E, R>(
    task: SchemaTask<Args, A, E, R>,
    ...args: { [K in keyof Args]: Args[K] }
  ) => Effect.Effect<A, E | JoinError | ClusterPoolError, Self>
  /**
   * Stores a task, which a runner runs at least once, and returns a receipt for its result.
   *
   * **Details**
   *
   * Returns when the task is stored. Inside `sql.withTransaction` of the storage's client it is a part
   * of that transaction. A key is stored once: a second call returns the receipt of the first, whatever
   * its payload. The body may run again after its runner has died, so make it idempotent;
   * `Task.attempt` returns which attempt it is. The first result counts.
   */
  readonly submit: <Args extends ReadonlyArray<unknown>, A, E, R>(
    task: SchemaTask<Args, A, E, R>,
    ...args: [...{ [K in keyof Args]: Args[K] }, options: SubmitOptions]
  ) => Effect.Effect<Receipt<A, E>, ClusterPoolError, Self>
  /** Finds the receipt of a submitted task by its key. */
  readonly receipt: <Args extends ReadonlyArray<unknown>, A, E, R>(
    task: SchemaTask<Args, A, E, R>,
    key: string
  ) => Effect.Effect<Option.Option<Receipt<A, E>>, ClusterPoolError, Self>
  /**
   * Submits a task from a workflow, and waits for it, as an activity of `effect/workflow`.
   *
   * **Details**
   *
   * The key is local to the workflow's execution, and names the activity. A resumed workflow finds the
   * result, or continues to wait. The workflow's own runner does none of the work.
   */
  readonly activity: <Args extends ReadonlyArray<unknown>, A, E, R>(
    task: SchemaTask<Args, A, E, R>,
    ...args: [...{ [K in keyof Args]: Args[K] }, options: SubmitOptions]
  ) => Effect.Effect<
    A,
    E | ClusterPoolError,
    Self | WorkflowEngine.WorkflowEngine | WorkflowEngine.WorkflowInstance
  >
  /** The tasks that have used all their attempts, oldest first; up to 100 by default. */
  readonly parked: (limit?: number) => Effect.Effect<ReadonlyArray<ParkedTask>, ClusterPoolError, Self>
  /** Queues a parked task again, with all its attempts. `false` if it is not parked. */
  readonly putBack: (
    parked: { readonly tag: string; readonly key: string }
  ) => Effect.Effect<boolean, ClusterPoolError, Self>
  /** Counts the submitted tasks, and lists the runners. */
  readonly stats: Effect.Effect<FarmStats, ClusterPoolError, Self>
  /**
   * Layer of a runner, which is also a client.
   *
   * **Details**
   *
   * Takes submitted tasks as its pool has free threads. The others wait in the storage, for the first
   * runner that is free. When the layer is released it takes no more tasks, waits `shutdownTimeout` for
   * those that run, and gives the rest back, which does not count as an attempt.
   *
   * **Gotchas**
   *
   * Any program that can connect can call a runner, as with the runners of `effect/cluster`: listen on
   * a private network. With options it can fail with `InvalidOptions`.
   */
  readonly layerRunner: {
    (): Layer.Layer<Self, SocketServer.SocketServerError, ClusterStorage | Blocking.Blocking | Callbacks>
    <P = Blocking.Blocking>(
      options: RunnerOptions<P> | undefined
    ): Layer.Layer<Self, InvalidOptions | SocketServer.SocketServerError, ClusterStorage | P | Callbacks>
  }
  /** Layer of a client: a program that uses the farm and runs no tasks. */
  readonly layerClient: {
    (): Layer.Layer<Self, never, ClusterStorage>
    (options: ClientOptions | undefined): Layer.Layer<Self, InvalidOptions, ClusterStorage>
  }
  /**
   * Layer of a farm inside this program, on one of its pools and in its memory: for tests, and for
   * deployments of one program. Values are encoded and decoded as they are between machines.
   */
  readonly layerLocal: {
    (): Layer.Layer<Self, never, Blocking.Blocking | Callbacks>
    <P = Blocking.Blocking>(
      options: Omit<RunnerOptions<P>, "listen" | "patience"> | undefined
    ): Layer.Layer<Self, InvalidOptions, P | Callbacks>
  }
}

// -----------------------------------------------------------------------------
// Errors
// -----------------------------------------------------------------------------

export {
  /**
   * An option of a layer is invalid.
   *
   * @category errors
   * @since 0.1.0
   */
  InvalidOptions
} from "./internal/invalidOptions.ts"

// -----------------------------------------------------------------------------
// Services
// -----------------------------------------------------------------------------

/**
 * The callbacks of a farm's tasks.
 *
 * @category models
 * @since 0.1.0
 */
export type CallbacksOf<T> = T extends { readonly task: SchemaTask<never, unknown, unknown, infer R> } ? R
  : T extends SchemaTask<never, unknown, unknown, infer R> ? R
  : never

/**
 * Declares a farm: its name and its tasks.
 *
 * **Details**
 *
 * All programs of a farm share the declaration: the key is the farm's name in the storage. Throws a
 * `TaskDefinitionError` for a task that is not made by `Task.schema`, and for two tasks with one tag.
 *
 * **Example** (Thumbnails on other machines)
 *
 * ```ts
 * import { ClusterPool } from "@effect-blocking/cluster"
 * import { Effect, Schema } from "effect"
 * import { Task } from "effect-blocking"
 *
 * const thumbnail = Task.schema(
 *   import.meta.url,
 *   "thumbnail",
 *   { payload: Schema.Struct({ file: Schema.String }), success: Schema.String },
 *   ({ file }) => `${file}.small`
 * )
 *
 * class Farm extends ClusterPool.Service<Farm>()("app/Farm", { tasks: [thumbnail] }) {}
 *
 * export const program = Effect.gen(function*() {
 *   const now = yield* Farm.run(thumbnail, { file: "a.png" })
 *   const receipt = yield* Farm.submit(thumbnail, { file: "b.png" }, { key: "b.png" })
 *   return [now, yield* receipt.await]
 * })
 * ```
 *
 * @category constructors
 * @since 0.1.0
 */
export const Service = <Self>() =>
<const Key extends string, const Tasks extends ReadonlyArray<FarmTask>>(
  key: Key,
  options: { readonly tasks: Tasks }
): FarmClass<Self, Key, CallbacksOf<Tasks[number]>> => {
  const service = Context.Service<Self, Farm>()(key)
  const definition = define(key, options.tasks)
  const layers = layersOf(service, definition)
  const activity = (task: AnyTask, ...args: ReadonlyArray<unknown>) => activityOf(service, definition, task, args)
  const operations = {
    run: (task: AnyTask, ...args: ReadonlyArray<unknown>) =>
      service.use((farm) => (farm.run as AnyOperation)(task, ...args)),
    submit: (task: AnyTask, ...args: ReadonlyArray<unknown>) =>
      service.use((farm) => (farm.submit as AnyOperation)(task, ...args)),
    receipt: (task: AnyTask, key: string) => service.use((farm) => farm.receipt(task, key)),
    parked: (limit?: number) => service.use((farm) => farm.parked(limit)),
    putBack: (parked: { readonly tag: string; readonly key: string }) => service.use((farm) => farm.putBack(parked)),
    stats: service.use((farm) => farm.stats),
    activity
  }
  // The types of the operations follow from the tasks that they are given.
  return Object.assign(service, operations, layers) as unknown as FarmClass<Self, Key, CallbacksOf<Tasks[number]>>
}

/** An operation on any task. */
type AnyOperation = (...args: ReadonlyArray<unknown>) => Effect.Effect<unknown, unknown>

// -----------------------------------------------------------------------------
// Layers
// -----------------------------------------------------------------------------

/** No limit in the queue: a runner counts the attempts itself, so that parked tasks can be listed and put back. */
const unlimitedAttempts = 2_147_483_647

const queueOf = ({ farm }: Definition, { queues }: Parts, retrySchedule?: Schedule.Schedule<unknown, number>) =>
  queues.make({
    name: queueName(farm),
    schema: Envelope,
    maxAttempts: unlimitedAttempts,
    ...(retrySchedule === undefined ? {} : { retrySchedule })
  })

const farmOf = (impl: FarmImpl): Farm => {
  const submit = (task: AnyTask, ...args: ReadonlyArray<unknown>) =>
    impl.submit(task, args.slice(0, -1), args.at(-1) as SubmitOptions)
  const farm = {
    run: (task: AnyTask, ...args: ReadonlyArray<unknown>) => impl.run(task, args),
    submit,
    receipt: (task: AnyTask, key: string) => impl.receipt(task, key),
    parked: (limit = 100) => impl.parked(limit),
    putBack: (parked: { readonly tag: string; readonly key: string }) => impl.putBack(parked),
    stats: Effect.map(impl.stats, ({ counts, runners }): FarmStats => ({
      submitted: counts.states,
      repeated: counts.repeated,
      runners: runners.map(({ farm: _, ...runner }) => runner)
    }))
  }
  return farm as unknown as Farm
}

/** Starts a runner, which ends with the scope. */
const start = Effect.fnUntraced(function*<P>(
  definition: Definition,
  parts: Parts,
  key: Context.Key<P, Blocking.Pool> | undefined,
  options: ResolvedRunner
): Effect.fn.Return<Runner, SocketServer.SocketServerError, P | Scope.Scope> {
  const context = yield* Effect.context<never>()
  const pool = yield* (key ?? Blocking.Blocking) as Context.Key<P, Blocking.Pool>
  const queue = yield* queueOf(definition, parts, options.retrySchedule)
  const { maxThreads } = yield* pool.stats
  const threads = options.concurrency ?? maxThreads
  const runner = new Runner(definition, parts, pool, queue, threads, options, context)
  const startedMillis = yield* Clock.currentTimeMillis
  let address = { host: "", port: 0 }
  if (options.listen !== false) {
    const bound = yield* listen(options.listen, options.maxPayload)
    address = bound.address
    yield* RpcServer.make(group, {
      spanPrefix: definition.farm,
      disableFatalDefects: true,
      concurrency: "unbounded"
    }).pipe(
      Effect.provide(group.toLayer({ Run: (request) => runner.call(request) })),
      Effect.provideService(RpcServer.Protocol, bound.protocol),
      Effect.forkScoped
    )
  }
  const gauge = Metric.withAttributes(busyGauge, { farm: definition.farm, runner: runner.id })
  const heartbeat = Effect.andThen(
    runner.heartbeat(address, startedMillis),
    Effect.suspend(() => Metric.update(gauge, runner.busyThreads))
  )
  yield* Effect.ignore(heartbeat)
  yield* Effect.addFinalizer(() => Effect.ignore(parts.receipts.leave(runner.id)))
  const beating = yield* heartbeat.pipe(
    Effect.catchCause((cause) =>
      Effect.logWarning("A runner could not write its heartbeat: other programs may take it for dead", cause)
    ),
    Effect.schedule(Schedule.spaced(parts.expirationMillis / 5)),
    Effect.forkScoped
  )
  // A taker is storing a result, or running a body, or holding the next item.
  const takers = yield* Effect.all(Array.from({ length: threads * 3 }, () => Effect.forkScoped(runner.take)))
  yield* Effect.addFinalizer(() =>
    Effect.andThen(runner.leave, Effect.all([Fiber.interruptAll(takers), Fiber.interrupt(beating)], { discard: true }))
  )
  return runner
})

const layersOf = <Self>(service: Context.Key<Self, Farm>, definition: Definition) => {
  const client = Effect.fnUntraced(function*(options: ResolvedClient) {
    const parts = (yield* ClusterStorage)[partsKey]
    const caller = new Caller(definition.farm, parts, yield* Effect.scope, options)
    return new FarmImpl(definition, parts, yield* queueOf(definition, parts), caller.call, options.maxPayload)
  })
  return {
    layerClient: (options?: ClientOptions): Layer.Layer<Self, InvalidOptions, ClusterStorage> =>
      Layer.effect(service, Effect.map(Effect.flatMap(resolveClient(definition.farm, options), client), farmOf)),
    layerRunner: <P>(
      options?: RunnerOptions<P>
    ): Layer.Layer<Self, InvalidOptions | SocketServer.SocketServerError, ClusterStorage | P> =>
      Layer.effect(
        service,
        Effect.gen(function*() {
          const resolved = yield* resolveRunner("layerRunner", definition.farm, options)
          const impl = yield* client(resolved)
          yield* start(definition, (yield* ClusterStorage)[partsKey], options?.pool, resolved)
          return farmOf(impl)
        })
      ),
    layerLocal: <P>(options?: Omit<RunnerOptions<P>, "listen" | "patience">): Layer.Layer<Self, InvalidOptions, P> =>
      Layer.effect(
        service,
        Effect.gen(function*() {
          const resolved = yield* resolveRunner("layerLocal", definition.farm, options)
          const parts = (yield* ClusterStorage)[partsKey]
          // It does not listen, so nothing of that can fail.
          const runner = yield* Effect.orDie(start(definition, parts, options?.pool, { ...resolved, listen: false }))
          const call: Call = (request) => runner.call({ ...request, wait: true })
          return farmOf(new FarmImpl(definition, parts, yield* queueOf(definition, parts), call, resolved.maxPayload))
        })
      ).pipe(Layer.provide(layerMemory))
  }
}

const activityOf = <Self>(
  service: Context.Key<Self, Farm>,
  definition: Definition,
  task: AnyTask,
  args: ReadonlyArray<unknown>
) =>
  Effect.gen(function*() {
    const { executionId } = yield* WorkflowEngine.WorkflowInstance
    const farm = yield* service
    const { delay, key } = args.at(-1) as SubmitOptions
    const entry = definition.entryOf(task)
    const submit = farm.submit as unknown as (
      ...args: ReadonlyArray<unknown>
    ) => Effect.Effect<Receipt<unknown, unknown>, ClusterPoolError>
    return yield* Activity.make({
      name: `${definition.farm}/${entry?.tag ?? task.name}/${key}`,
      success: entry?.success.schema ?? Schema.Void,
      error: Schema.Union([entry?.error.schema ?? Schema.Never, ClusterPoolError]),
      execute: Effect.flatMap(
        submit(task, ...args.slice(0, -1), { key: `${executionId}/${key}`, delay }),
        (receipt) => receipt.await
      )
    })
  })
