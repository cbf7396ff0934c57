/**
 * Names a synchronous function, so that another thread can find and run it.
 *
 * A `Task` is a body registered under the url of its module and a name. Each pool thread imports the module
 * once and looks the name up; the program only passes the name and the arguments. This module also provides
 * what a body can use while it runs: the stop flag, per-thread values and moved buffers.
 *
 * **Gotchas**
 *
 * Pool threads load the module that defines a task, with everything it imports. Keep tasks in modules of
 * their own that do not start the program and import only what the bodies need: a module that imports
 * `effect` makes each thread start about seven times slower and use over three times the memory.
 *
 * @module
 * @since 0.1.0
 */
import type * as Cause from "effect/Cause"
import type * as Duration from "effect/Duration"
import type * as Result from "effect/Result"
import type * as Schema from "effect/Schema"
import type { AnyCallback } from "./Callback.ts"
import type {
  CheckBody,
  CheckPipeBody,
  CheckSinkBody,
  CheckStreamBody,
  ElementOf,
  EndOf,
  FailureOf,
  InputOf,
  Invalid,
  ParametersAfterInput,
  ParametersOf,
  ReturnOf,
  SuccessOf
} from "./internal/task/types.ts"
import { conflict, register, type TaskKind, threadContext, withoutRetry } from "./internal/thread/context.ts"
import * as stops from "./internal/thread/stops.ts"
import { compact, describe, isPlain } from "./internal/wire/cloneable.ts"
import type { TaskSchemas } from "./internal/wire/codec.ts"
import type { ErrorClass } from "./internal/wire/errorClasses.ts"
import { standIn } from "./internal/wire/moved.ts"

const TypeId = "~effect-blocking/Task"
const StreamTypeId = "~effect-blocking/StreamTask"
const SinkTypeId = "~effect-blocking/SinkTask"
const PipeTypeId = "~effect-blocking/PipeTask"

// -----------------------------------------------------------------------------
// Models
// -----------------------------------------------------------------------------

/**
 * A synchronous function that pool threads can find by its module's url and its name, with the types of its
 * parameters and results.
 *
 * **Details**
 *
 * `Args` is the tuple of the body's parameters, `A` what it returns and `E` the domain error of a body that
 * returns a `Result<A, E>`. `R` is the union of the callbacks that the body may call; the program provides
 * them where it runs the task.
 *
 * @category models
 * @since 0.1.0
 */
export interface Task<in Args extends ReadonlyArray<unknown>, out A, out E = never, out R = never> {
  readonly [TypeId]: {
    readonly _Args: (_: Args) => void
    readonly _A: () => A
    readonly _E: () => E
    readonly _R: () => R
  }
  /** The url of the module that defines it. */
  readonly module: string
  /** Its name in that module. */
  readonly name: string
  /** The function, for calls without a thread: in place or in a test. */
  readonly body: (...args: Args) => A | Result.Result<A, E>
  readonly options: TaskOptions
  /** The schemas given to `Task.schema`. */
  readonly schemas: TaskSchemas | undefined
}

/**
 * A task whose values have schemas, made by `Task.schema`. Its values can also travel by other means than
 * threads, such as a cluster.
 *
 * @category models
 * @since 0.1.0
 */
export interface SchemaTask<in Args extends ReadonlyArray<unknown>, out A, out E = never, out R = never>
  extends Task<Args, A, E, R>
{
  readonly schemas: TaskSchemas
}

/**
 * A generator function that pool threads can find and whose elements the program pulls. Made by `Task.stream`
 * and run by `Blocking.stream`.
 *
 * **Details**
 *
 * `Args` is the tuple of the body's parameters, `A` what it yields and `E` the domain error of a body that
 * returns `Result.fail(error)`. `R` is the union of the callbacks that it may call.
 *
 * @category models
 * @since 0.1.0
 */
export interface StreamTask<in Args extends ReadonlyArray<unknown>, out A, out E = never, out R = never> {
  readonly [StreamTypeId]: Task<Args, A, E, R>[typeof TypeId]
  /** The url of the module that defines it. */
  readonly module: string
  /** Its name in that module. */
  readonly name: string
  /** The function, for calls without a thread: in place or in a test. */
  readonly body: (...args: Args) => Generator<A, void | Result.Result<void, E>, undefined>
  readonly options: StreamOptions
  readonly schemas: undefined
}

/**
 * A function that pool threads can find and that consumes a stream of the program. Made by `Task.sink` and
 * run by `Blocking.sink`.
 *
 * **Details**
 *
 * `In` is the type of the elements it takes, `Args` the tuple of its other parameters, `A` what it returns
 * and `E` the domain error of a body that returns a `Result<A, E>`. `R` is the union of the callbacks that it
 * may call.
 *
 * @category models
 * @since 0.1.0
 */
export interface SinkTask<in Args extends ReadonlyArray<unknown>, in In, out A, out E = never, out R = never> {
  readonly [SinkTypeId]: Task<Args, A, E, R>[typeof TypeId] & { readonly _In: (_: In) => void }
  /** The url of the module that defines it. */
  readonly module: string
  /** Its name in that module. */
  readonly name: string
  /** The function, for calls without a thread: in place or in a test. */
  readonly body: (input: Iterable<In>, ...args: Args) => A | Result.Result<A, E>
  readonly options: TaskOptions
  readonly schemas: undefined
}

/**
 * A generator function that pool threads can find and that transforms one stream into another. Made by
 * `Task.pipe` and run by `Blocking.pipe`.
 *
 * **Details**
 *
 * `In` is the type of the elements it takes, `Args` the tuple of its other parameters, `A` what it yields and
 * `E` the domain error of a body that returns `Result.fail(error)`. `R` is the union of the callbacks that it
 * may call.
 *
 * @category models
 * @since 0.1.0
 */
export interface PipeTask<in Args extends ReadonlyArray<unknown>, in In, out A, out E = never, out R = never> {
  readonly [PipeTypeId]: Task<Args, A, E, R>[typeof TypeId] & { readonly _In: (_: In) => void }
  /** The url of the module that defines it. */
  readonly module: string
  /** Its name in that module. */
  readonly name: string
  /** The function, for calls without a thread: in place or in a test. */
  readonly body: (input: Iterable<In>, ...args: Args) => Generator<A, void | Result.Result<void, E>, undefined>
  readonly options: StreamOptions
  readonly schemas: undefined
}

/**
 * A task of any kind.
 *
 * @category models
 * @since 0.1.0
 */
export type AnyTask =
  | Task<never, unknown, unknown, unknown>
  | StreamTask<never, unknown, unknown, unknown>
  | SinkTask<never, never, unknown, unknown, unknown>
  | PipeTask<never, never, unknown, unknown, unknown>

/**
 * How a task is stopped, limited and described. `Task.with` can change every option except `errors` and
 * `callbacks` where the task is used.
 *
 * @category models
 * @since 0.1.0
 */
export interface TaskOptions {
  /**
   * How long the body may run. Time in the queue, the start of a thread and the loading of the module do not
   * count. When the limit is exceeded, the body is asked to stop, and its thread is terminated after
   * `gracePeriod`; the caller gets `JoinError` with reason `TimedOut`. No limit by default.
   */
  readonly timeLimit?: Duration.Input | undefined
  /**
   * How long the task may wait to start, including the wait for room in a full queue. When the limit is
   * exceeded, the task never runs and the caller gets `JoinError` with reason `QueueTimedOut`. No limit by
   * default.
   */
  readonly queueTimeLimit?: Duration.Input | undefined
  /**
   * The effect of an interruption or abort on a running body. `"stop"` (default) raises the stop flag,
   * terminates the thread after `gracePeriod`, and returns when the body has ended. `"wait"` raises the flag
   * and waits for the body, however long it takes. `"abandon"` raises the flag and returns at once; the
   * thread stays busy until the body ends. A time limit and a shutdown always use `"stop"`.
   */
  readonly onInterrupt?: "stop" | "wait" | "abandon" | undefined
  /** The time from the stop flag to the termination of the thread. Defaults to the pool's `gracePeriod`. */
  readonly gracePeriod?: Duration.Input | undefined
  /** Whether a queued task still runs when its pool shuts down. Defaults to `false`. */
  readonly mandatory?: boolean | undefined
  /**
   * Classes whose errors arrive as instances of their class, matched by class name. An error of a subclass
   * arrives as an instance of its nearest listed class, with the methods of that class. Errors of other
   * classes keep their fields, message, stack and cause, but not their class. Can only be given where the
   * task is defined.
   */
  readonly errors?: ReadonlyArray<ErrorClass> | undefined
  /**
   * The callbacks that the body may call. They become requirements of the effect that runs the task. Can only
   * be given where the task is defined.
   */
  readonly callbacks?: ReadonlyArray<AnyCallback> | undefined
  /** Attributes added to the span of the task. */
  readonly attributes?: Readonly<Record<string, string | number | boolean>> | undefined
  /**
   * The number of this attempt, as returned by `Task.attempt`. Only for a task of `Task.schema`. Defaults to
   * 1.
   */
  readonly attempt?: number | undefined
}

/**
 * The options of a task that the program pulls from. `timeLimit` counts the time in the body, not the time
 * between two pulls.
 *
 * @category models
 * @since 0.1.0
 */
export interface StreamOptions extends TaskOptions {
  /**
   * How long the stream may be open without a pull. When the limit is exceeded, the body is closed, and the
   * next pull fails with `JoinError` and reason `TimedOut`. No limit by default.
   */
  readonly idleTimeLimit?: Duration.Input | undefined
  /**
   * Whether the thread of an open stream runs no other tasks, for a body that uses per-thread state that no
   * other task may touch. The open stream then holds a place in the pool, like a lease. Defaults to `false`.
   */
  readonly exclusive?: boolean | undefined
}

/**
 * The options of `Task.with` for a stream.
 *
 * @category models
 * @since 0.1.0
 */
export interface DerivedStreamOptions extends DerivedOptions, Pick<StreamOptions, "exclusive" | "idleTimeLimit"> {}

/**
 * The options of `Task.with`: those of a task, without `errors` and `callbacks`, which determine the types of
 * its domain error and requirements.
 *
 * @category models
 * @since 0.1.0
 */
export interface DerivedOptions extends Omit<TaskOptions, "callbacks" | "errors"> {
  readonly errors?: Invalid<"`errors` belongs to the definition of a task: give it to Task.make"> | undefined
  readonly callbacks?: Invalid<"`callbacks` belongs to the definition of a task: give it to Task.make"> | undefined
}

/**
 * An error class that a task lists in its `errors`.
 *
 * @category models
 * @since 0.1.0
 */
export type { ErrorClass } from "./internal/wire/errorClasses.ts"

/**
 * The schemas of a task, as stored in the task.
 *
 * @category models
 * @since 0.1.0
 */
export type { TaskSchemas } from "./internal/wire/codec.ts"

/**
 * The methods of an error, except those that every error of Effect has: these survive whatever its class.
 *
 * @category models
 * @since 0.1.0
 */
export type OwnMethods<E> = {
  [K in keyof E]-?: E[K] extends (...args: never) => unknown ? K extends keyof Cause.YieldableError ? never : K : never
}[keyof E]

/**
 * A domain error whose class is not in the task's `errors`: it arrives with its fields and without its
 * methods.
 *
 * @category models
 * @since 0.1.0
 */
export type WithoutMethods<E> = { [K in keyof E as K extends OwnMethods<E> ? never : K]: E[K] }

/**
 * A domain error of which only a superclass is in the task's `errors`: it arrives with its fields and the
 * methods of `Super`.
 *
 * @category models
 * @since 0.1.0
 */
export type WithMethodsOf<E, Super> = {
  [K in keyof E as K extends Exclude<OwnMethods<E>, keyof Super> ? never : K]: K extends OwnMethods<E> & keyof Super
    ? Super[K]
    : E[K]
}

/**
 * Thrown by the constructors of tasks and callbacks for an invalid definition, while the module is evaluated.
 *
 * @category errors
 * @since 0.1.0
 */
export class TaskDefinitionError extends Error {
  readonly _tag = "TaskDefinitionError"
  override readonly name = "TaskDefinitionError"
}

// -----------------------------------------------------------------------------
// Guards
// -----------------------------------------------------------------------------

/**
 * Returns whether a value is a `Task`.
 *
 * @category guards
 * @since 0.1.0
 */
export const isTask = (u: unknown): u is Task<never, unknown, unknown> =>
  typeof u === "object" && u !== null && TypeId in u

/**
 * Returns whether a value is a `StreamTask`.
 *
 * @category guards
 * @since 0.1.0
 */
export const isStreamTask = (u: unknown): u is StreamTask<never, unknown, unknown> =>
  typeof u === "object" && u !== null && StreamTypeId in u

/**
 * Returns whether a value is a `SinkTask`.
 *
 * @category guards
 * @since 0.1.0
 */
export const isSinkTask = (u: unknown): u is SinkTask<never, never, unknown, unknown> =>
  typeof u === "object" && u !== null && SinkTypeId in u

/**
 * Returns whether a value is a `PipeTask`.
 *
 * @category guards
 * @since 0.1.0
 */
export const isPipeTask = (u: unknown): u is PipeTask<never, never, unknown, unknown> =>
  typeof u === "object" && u !== null && PipeTypeId in u

// -----------------------------------------------------------------------------
// Constructors
// -----------------------------------------------------------------------------

const variance = {
  _Args: () => {},
  _A: () => undefined as never,
  _E: () => undefined as never,
  _R: () => undefined as never,
  _In: () => {}
}

const define = <Args extends ReadonlyArray<unknown>, A, E, R>(
  url: string,
  name: string,
  body: (...args: ReadonlyArray<never>) => unknown,
  options: TaskOptions | undefined,
  schemas: TaskSchemas | undefined
): Task<Args, A, E, R> => {
  const { module, called } = registered("call", url, name, body, schemas)
  // `A` and `E` were inferred from the return type of the body.
  return {
    [TypeId]: variance,
    module,
    name,
    body: called as Task<Args, A, E, R>["body"],
    options: options ?? {},
    schemas
  }
}

/**
 * The kinds of functions accepted as a body. A plain function that returns a generator is accepted like a
 * generator function.
 */
const functions: Record<TaskKind, ReadonlyArray<string>> = {
  call: ["[object Function]"],
  stream: ["[object GeneratorFunction]", "[object Function]"],
  sink: ["[object Function]"],
  pipe: ["[object GeneratorFunction]", "[object Function]"]
}

const registered = (
  kind: TaskKind,
  url: string,
  name: string,
  body: (...args: ReadonlyArray<never>) => unknown,
  schemas: TaskSchemas | undefined
): { readonly module: string; readonly called: typeof body } => {
  if (conflict !== undefined) throw new TaskDefinitionError(`Task "${name}" cannot be defined: ${conflict}`)
  if (typeof url !== "string" || !URL.canParse(url)) {
    throw new TaskDefinitionError(
      `The first argument of Task.make must be the url of the module: write import.meta.url, not ${describe(url)} ` +
        `(in CommonJS: pathToFileURL(__filename).href${
          url === undefined ? "; in a CommonJS bundle import.meta.url is undefined" : ""
        })`
    )
  }
  const module = withoutRetry(url)
  if (typeof name !== "string" || name === "") {
    throw new TaskDefinitionError(`A task needs a name: give Task.make a non-empty string in ${module}`)
  }
  if (typeof body !== "function") {
    throw new TaskDefinitionError(`The body of task "${name}" must be a function, not ${describe(body)} (${module})`)
  }
  const found = Object.prototype.toString.call(body)
  if (!functions[kind].includes(found)) {
    const isGenerator = found === "[object GeneratorFunction]"
    throw new TaskDefinitionError(
      `The body of task "${name}" must be a synchronous function, not ${found.slice(8, -1)}` +
        `${isGenerator ? ": for one that yields, use Task.stream or Task.pipe" : ""} (${module})`
    )
  }
  if (!register(url, name, { body, schemas, kind })) {
    throw new TaskDefinitionError(
      `Task "${name}" is defined twice in ${module}: give each task its own name. ` +
        "A Task.make inside a function may run twice: call it at the top level of the module. " +
        "A bundle is one module, so names must be unique in all of it"
    )
  }
  return { module, called: calledInPlace(body) }
}

/** The body for calls without a thread: in there, `Task.move` returns the value itself. */
const calledInPlace = (body: (...args: ReadonlyArray<never>) => unknown): typeof body => {
  const called: typeof body = (...args) => {
    threadContext.inPlace++
    try {
      return body(...args)
    } finally {
      threadContext.inPlace--
    }
  }
  return Object.defineProperty(called, "name", { value: body.name, configurable: true })
}

declare const URL: { readonly canParse: (url: string) => boolean }

/**
 * Defines a task: a synchronous function that pool threads can run.
 *
 * **Details**
 *
 * Always pass `import.meta.url`, and call it at the top level of the module, so that a pool thread that
 * imports the module finds the same definition. Arguments and results are cloned between threads; a type that
 * cannot be cloned does not compile. A body that returns a `Result<A, E>` becomes an
 * `Effect<A, E | JoinError>` for the caller. A body that throws fails with `JoinError` and reason `Panicked`.
 *
 * Throws a `TaskDefinitionError` for an invalid url, an empty or repeated name, a body that is not a
 * synchronous function, and if another version of this package has defined tasks in the same thread.
 *
 * **Example** (A task module)
 *
 * ```ts
 * import { Task } from "effect-blocking"
 * import { scryptSync } from "node:crypto"
 *
 * export const hash = Task.make(import.meta.url, "hash", (password: string, salt: string) =>
 *   scryptSync(password, salt, 64).toString("hex"))
 * ```
 *
 * @see {@link schema} for values that need a schema to cross threads
 * @category constructors
 * @since 0.1.0
 */
export const make = <
  F extends Function,
  const Errors extends ReadonlyArray<ErrorClass> = readonly [],
  const Callbacks extends ReadonlyArray<AnyCallback> = readonly []
>(
  moduleUrl: string,
  name: string,
  body: F & CheckBody<F>,
  options?: TaskOptions & { readonly errors?: Errors | undefined; readonly callbacks?: Callbacks | undefined }
): Task<
  ParametersOf<F>,
  SuccessOf<ReturnOf<F>>,
  FailureOf<ReturnOf<F>, Errors[number]["prototype"]>,
  Callbacks[number]["Identifier"]
> => define(moduleUrl, name, body as Function as (...args: ReadonlyArray<never>) => unknown, options, undefined)

/**
 * Defines a task whose values cross threads through their schemas: classes with
 * methods, `Option`, `DateTime`, branded and validated types.
 *
 * **Details**
 *
 * The body takes the decoded `payload` (no parameter without that schema) and returns the type of `success`,
 * or a `Result` with the type of `error`. A value that does not match its schema fails the task with
 * `JoinError` and reason `NotCloneable`, which gives the path to the value. Pool threads load `effect/Schema`
 * for such a task. Throws a `TaskDefinitionError` as `Task.make` does.
 *
 * **Example** (A domain error that stays an instance of its class)
 *
 * ```ts
 * import { Result, Schema } from "effect"
 * import { Task } from "effect-blocking"
 *
 * export class NotFound extends Schema.TaggedError<NotFound>()("NotFound", { id: Schema.Int }) {}
 *
 * export const birthday = Task.schema(import.meta.url, "birthday", {
 *   payload: Schema.Int,
 *   success: Schema.Option(Schema.Date),
 *   error: NotFound
 * }, (id) => Result.fail(new NotFound({ id })))
 * ```
 *
 * @category constructors
 * @since 0.1.0
 */
export const schema = <
  Payload extends Schema.ConstraintCodec<unknown, unknown> = typeof Schema.Void,
  Success extends Schema.ConstraintCodec<unknown, unknown> = typeof Schema.Void,
  Failure extends Schema.ConstraintCodec<unknown, unknown> = typeof Schema.Never,
  const Callbacks extends ReadonlyArray<AnyCallback> = readonly []
>(
  moduleUrl: string,
  name: string,
  schemas: {
    readonly payload?: Payload
    readonly success?: Success
    readonly error?: Failure
  },
  body: (
    ...args: PayloadArguments<Payload>
  ) => Success["Type"] | Result.Result<Success["Type"], Failure["Type"]>,
  options?: TaskOptions & { readonly callbacks?: Callbacks | undefined }
): SchemaTask<PayloadArguments<Payload>, Success["Type"], Failure["Type"], Callbacks[number]["Identifier"]> => ({
  ...define<PayloadArguments<Payload>, Success["Type"], Failure["Type"], Callbacks[number]["Identifier"]>(
    moduleUrl,
    name,
    body,
    options,
    schemas
  ),
  schemas
})

/**
 * Defines a stream: a generator function that runs on a pool thread and whose elements the program pulls.
 *
 * **Details**
 *
 * The body runs as far as it is pulled, and one chunk ahead. At a `yield` it can be suspended, and its thread
 * runs other tasks meanwhile; it always resumes in the same thread. Elements arrive in order, before the end
 * or failure that follows them. `return Result.fail(error)` ends the stream with a domain error, and a throw
 * ends it with a `JoinError`. When the consumer ends early, the `finally` blocks of the body run. Elements
 * marked by `Task.move` are moved.
 *
 * Throws a `TaskDefinitionError` as `Task.make` does.
 *
 * **Gotchas**
 *
 * Other tasks run on the same thread between two elements, and may have used the values of
 * `Task.threadLocal`.
 *
 * **Example** (The lines of a file)
 *
 * ```ts
 * import { Task } from "effect-blocking"
 * import { closeSync, openSync, readSync } from "node:fs"
 *
 * export const lines = Task.stream(import.meta.url, "lines", function*(path: string) {
 *   const file = openSync(path, "r")
 *   try {
 *     const bytes = new Uint8Array(65_536)
 *     const decoder = new TextDecoder()
 *     let rest = ""
 *     while (true) {
 *       const count = readSync(file, bytes)
 *       if (count === 0) break
 *       const parts = (rest + decoder.decode(bytes.subarray(0, count), { stream: true })).split("\n")
 *       rest = parts.pop()!
 *       yield* parts
 *     }
 *     if (rest !== "") yield rest
 *   } finally {
 *     closeSync(file)
 *   }
 * })
 * ```
 *
 * @category constructors
 * @since 0.1.0
 */
export const stream = <
  F extends Function,
  const Errors extends ReadonlyArray<ErrorClass> = readonly [],
  const Callbacks extends ReadonlyArray<AnyCallback> = readonly []
>(
  moduleUrl: string,
  name: string,
  body: F & CheckStreamBody<F>,
  options?: StreamOptions & { readonly errors?: Errors | undefined; readonly callbacks?: Callbacks | undefined }
): StreamTask<
  ParametersOf<F>,
  ElementOf<ReturnOf<F>>,
  FailureOf<EndOf<ReturnOf<F>>, Errors[number]["prototype"]>,
  Callbacks[number]["Identifier"]
> => ({ [StreamTypeId]: variance, ...definition("stream", moduleUrl, name, body, options) })

/**
 * Defines a sink: a function that consumes a stream of the program on a pool thread and returns a result.
 *
 * **Details**
 *
 * The first parameter is the input, an `Iterable` that can be iterated once. While it has no element, the
 * thread waits and holds no place in its pool, so another thread can take the place. One chunk is pulled
 * ahead of the body. A body that returns early stops the stream. If the stream fails or is interrupted, the
 * loop over the input throws, and `finally` blocks run. Each step of the loop is a `Task.checkpoint`.
 * `timeLimit` includes the waits.
 *
 * Throws a `TaskDefinitionError` as `Task.make` does.
 *
 * **Example** (Rows into a database)
 *
 * ```ts
 * import { Task } from "effect-blocking"
 * import { DatabaseSync } from "node:sqlite"
 *
 * interface Row {
 *   readonly id: number
 *   readonly name: string
 * }
 *
 * export const insert = Task.sink(import.meta.url, "insert", (rows: Iterable<Row>, filename: string) => {
 *   const db = new DatabaseSync(filename)
 *   const statement = db.prepare("INSERT INTO users (id, name) VALUES (?, ?)")
 *   let count = 0
 *   db.exec("BEGIN")
 *   try {
 *     for (const { id, name } of rows) {
 *       statement.run(id, name)
 *       count++
 *     }
 *     db.exec("COMMIT")
 *     return count
 *   } finally {
 *     db.close() // Without a COMMIT, this rolls back.
 *   }
 * })
 * ```
 *
 * @category constructors
 * @since 0.1.0
 */
export const sink = <
  F extends Function,
  const Errors extends ReadonlyArray<ErrorClass> = readonly [],
  const Callbacks extends ReadonlyArray<AnyCallback> = readonly []
>(
  moduleUrl: string,
  name: string,
  body: F & CheckSinkBody<F>,
  options?: TaskOptions & { readonly errors?: Errors | undefined; readonly callbacks?: Callbacks | undefined }
): SinkTask<
  ParametersAfterInput<F>,
  InputOf<F>,
  SuccessOf<ReturnOf<F>>,
  FailureOf<ReturnOf<F>, Errors[number]["prototype"]>,
  Callbacks[number]["Identifier"]
> => ({ [SinkTypeId]: variance, ...definition("sink", moduleUrl, name, body, options) })

/**
 * Defines a pipe: a generator function that transforms one stream into another on a pool thread.
 *
 * **Details**
 *
 * The input behaves as in `Task.sink`, and the yielded elements as in `Task.stream`. Before the body waits
 * for input, the elements already yielded are sent.
 *
 * Throws a `TaskDefinitionError` as `Task.make` does.
 *
 * **Example** (Decompressing blocks)
 *
 * ```ts
 * import { Task } from "effect-blocking"
 * import { inflateSync } from "node:zlib"
 *
 * export const unpack = Task.pipe(import.meta.url, "unpack", function*(blocks: Iterable<Uint8Array>) {
 *   for (const block of blocks) yield Task.move(Uint8Array.from(inflateSync(block)))
 * })
 * ```
 *
 * @category constructors
 * @since 0.1.0
 */
export const pipe = <
  F extends Function,
  const Errors extends ReadonlyArray<ErrorClass> = readonly [],
  const Callbacks extends ReadonlyArray<AnyCallback> = readonly []
>(
  moduleUrl: string,
  name: string,
  body: F & CheckPipeBody<F>,
  options?: StreamOptions & { readonly errors?: Errors | undefined; readonly callbacks?: Callbacks | undefined }
): PipeTask<
  ParametersAfterInput<F>,
  InputOf<F>,
  ElementOf<ReturnOf<F>>,
  FailureOf<EndOf<ReturnOf<F>>, Errors[number]["prototype"]>,
  Callbacks[number]["Identifier"]
> => ({ [PipeTypeId]: variance, ...definition("pipe", moduleUrl, name, body, options) })

/** The fields common to streams, sinks and pipes. Their types were inferred from the body. */
const definition = (
  kind: TaskKind,
  url: string,
  name: string,
  body: Function,
  options: TaskOptions | undefined
) => {
  const { called, module } = registered(
    kind,
    url,
    name,
    body as (...args: ReadonlyArray<never>) => unknown,
    undefined
  )
  return {
    module,
    name,
    body: called as (...args: ReadonlyArray<unknown>) => never,
    options: options ?? {},
    schemas: undefined
  }
}

/**
 * The parameters of a `Task.schema` body: the payload, or no parameter.
 *
 * @category models
 * @since 0.1.0
 */
export type PayloadArguments<Payload extends Schema.ConstraintCodec<unknown, unknown>> = [Payload["Type"], void] extends
  [void, Payload["Type"]]
  // `any` is a payload, although it is assignable both ways like `void`.
  ? 0 extends 1 & Payload["Type"] ? [payload: Payload["Type"]] : []
  : [payload: Payload["Type"]]

// -----------------------------------------------------------------------------
// Combinators
// -----------------------------------------------------------------------------

const with_ = <Self extends AnyTask>(
  self: Self,
  options: [Self] extends
    [StreamTask<never, unknown, unknown, unknown> | PipeTask<never, never, unknown, unknown, unknown>]
    ? DerivedStreamOptions
    : DerivedOptions
): Self => ({
  ...self,
  // Options that are not an object are refused when the task is run, like other invalid options. The type
  // of the domain error depends on the `errors` of the definition.
  options: typeof (options ?? {}) === "object"
    ? { ...self.options, ...options, errors: self.options.errors, callbacks: self.options.callbacks }
    : options as TaskOptions
})

export {
  /**
   * Derives a task with other options. Its body, name, `errors` and `callbacks` stay the same.
   *
   * **Example** (The same task under a deadline)
   *
   * ```ts
   * import { Task } from "effect-blocking"
   *
   * const search = Task.make(import.meta.url, "search", (text: string) => /(a+)+$/.test(text))
   * export const quickSearch = Task.with(search, { timeLimit: "1 second" })
   * ```
   *
   * @category combinators
   * @since 0.1.0
   */
  with_ as with
}

// -----------------------------------------------------------------------------
// Values that are moved
// -----------------------------------------------------------------------------

/**
 * Marks a buffer or port to be moved to the other thread instead of copied, in an argument or a result.
 *
 * **Details**
 *
 * Takes an `ArrayBuffer`, a typed array or `DataView`, a `MessagePort`, or any other transferable object. In
 * the program it returns a stand-in: for a typed array, another view of the same memory; for anything else,
 * an object that reads like the original. The call that takes the stand-in moves the memory when its task is
 * accepted, and the sender's object is then empty. A call that is refused or never run moves nothing. In a
 * body, `move` returns the value itself, which is moved if the body returns it.
 *
 * Memory that cannot be transferred, such as that of WebAssembly and of some native addons, is copied. A
 * `SharedArrayBuffer` stays shared. Throws a `TypeError` for a value that is not such an object.
 *
 * **Gotchas**
 *
 * A view of only part of its buffer is copied, and the copy is returned: moving it would detach everything
 * else in that buffer. This applies to most small Node `Buffer`s, which share one buffer.
 *
 * The stand-in of an `ArrayBuffer` or a port is only for the call: code that checks the type of an object
 * (`new Uint8Array(…)`, Node's functions) does not accept it as a buffer.
 *
 * **Example** (An image that the program no longer needs)
 *
 * ```ts
 * import { Blocking, Task } from "effect-blocking"
 *
 * const invert = Task.make(import.meta.url, "invert", (pixels: Uint8Array) =>
 *   Task.move(pixels.map((pixel) => 255 - pixel)))
 *
 * export const inverted = (image: Uint8Array) => Blocking.run(invert, Task.move(image))
 * ```
 *
 * @category combinators
 * @since 0.1.0
 */
export const move = <A extends object>(value: A): A => {
  // Only the platform knows which other objects can be moved.
  if (typeof value !== "object" || value === null || Array.isArray(value) || isPlain(value)) {
    throw new TypeError(`Task.move takes a buffer, a view of one or a port, not ${describe(value)}`)
  }
  // Shared memory stays shared.
  if ((ArrayBuffer.isView(value) ? value.buffer : value) instanceof SharedArrayBuffer) return value
  const own = compact(value) as A
  if (threadContext.current === 0) return threadContext.inPlace > 0 ? own : standIn(own) // In a body, the mark lives as long as the body and needs no stand-in.
  ;(threadContext.moved ??= new WeakSet()).add(own)
  return own
}

// -----------------------------------------------------------------------------
// Inside a body
// -----------------------------------------------------------------------------

/**
 * Creates a value that each thread has once, such as a database connection, a compiled template or a large
 * table.
 *
 * **Details**
 *
 * `acquire` runs when a body first asks for the value, and the value is kept until the thread retires.
 * `release` then runs, for the newest value first. If `acquire` throws, that task panics and the next task
 * tries again.
 *
 * A retiring thread has unlimited time for its releases; at the shutdown of the pool they have the rest of
 * its `shutdownTimeout`. A thread that is terminated or dies does not release its values. Outside a pool
 * thread, where a test or `Blocking.inPlace` may run a body, the value is kept until the process ends.
 *
 * **Example** (A connection per thread)
 *
 * ```ts
 * import { Task } from "effect-blocking"
 * import { DatabaseSync } from "node:sqlite"
 *
 * const database = Task.threadLocal(() => new DatabaseSync("users.db"), { release: (db) => db.close() })
 *
 * export const count = Task.make(import.meta.url, "count", () =>
 *   Number(database().prepare("SELECT count(*) AS n FROM users").get()?.n))
 * ```
 *
 * @category constructors
 * @since 0.1.0
 */
export const threadLocal = <A>(
  acquire: () => A,
  options?: { readonly release?: ((value: A) => void) | undefined }
): () => A => {
  const get = (): A => {
    const { locals, releases } = threadContext
    let made = locals.get(get) as { readonly value: A } | undefined
    if (made === undefined) {
      const value = acquire()
      locals.set(get, made = { value })
      const release = options?.release
      if (release !== undefined) {
        releases.push(() => {
          locals.delete(get)
          release(value)
        })
      }
    }
    return made.value
  }
  return get
}

/**
 * Returns the `threadData` of the pool that this thread belongs to; `undefined` outside a pool.
 *
 * **Details**
 *
 * The type `T` is not checked: the compiler cannot relate the pool's option to the task.
 *
 * @category getters
 * @since 0.1.0
 */
export const threadData = <T>(): T | undefined => threadContext.threadData as T | undefined

/**
 * Returns whether the running body has been asked to stop.
 *
 * **Details**
 *
 * Costs one atomic load, cheap enough for an inner loop. A pool process shares no memory: there it reads the
 * clock, and every 50 µs the file that the program writes the flag to. `false` outside a pool thread.
 *
 * **Example** (A loop that returns early with a partial result)
 *
 * ```ts
 * import { Task } from "effect-blocking"
 *
 * export const primes = Task.make(import.meta.url, "primes", (limit: number) => {
 *   const found: Array<number> = []
 *   for (let n = 2; n < limit && !Task.stopRequested(); n++) {
 *     if (found.every((p) => n % p !== 0)) found.push(n)
 *   }
 *   return found
 * })
 * ```
 *
 * @see {@link checkpoint} to leave the body instead
 * @category getters
 * @since 0.1.0
 */
export const stopRequested: () => boolean = stops.stopRequested

/**
 * Leaves the running body if it has been asked to stop.
 *
 * **Details**
 *
 * Throws a `StopRequested`, so that `finally` blocks run and `using` values are disposed; the thread
 * survives. A body that catches every error should rethrow it. Does nothing outside a pool thread.
 *
 * @see {@link stopRequested} to return a result instead
 * @category combinators
 * @since 0.1.0
 */
export const checkpoint: () => void = stops.checkpoint

/**
 * Returns the attempt number of the running body, from 1.
 *
 * **When to use**
 *
 * Use where a task can run again after its runner died in the middle of it (`@effect-blocking/cluster`), to
 * find what an earlier attempt left behind.
 *
 * **Details**
 *
 * Returns the `attempt` of the task's options, which a cluster sets. 1 outside a pool thread.
 *
 * **Example** (Removing the partial file of an earlier attempt)
 *
 * ```ts
 * import { Schema } from "effect"
 * import { Task } from "effect-blocking"
 * import { existsSync, rmSync, writeFileSync } from "node:fs"
 *
 * export const render = Task.schema(import.meta.url, "render", { payload: Schema.String }, (path) => {
 *   if (Task.attempt() > 1 && existsSync(`${path}.part`)) rmSync(`${path}.part`)
 *   writeFileSync(`${path}.part`, "the picture")
 * })
 * ```
 *
 * @category getters
 * @since 0.1.0
 */
export const attempt = (): number => threadContext.attempt

export {
  /**
   * Thrown by `Task.checkpoint` to leave a body.
   *
   * @category errors
   * @since 0.1.0
   */
  StopRequested
} from "./internal/thread/stops.ts"

/**
 * Returns whether this code runs in a pool thread or pool process. It is `true` from the first line on,
 * including in modules that Node preloads (`--import`), and `false` in threads and processes that a task
 * starts.
 *
 * **When to use**
 *
 * Use in a module that both defines a task and starts the program, to avoid starting it again in each pool
 * thread.
 *
 * @category getters
 * @since 0.1.0
 */
export const inPoolThread = (): boolean => threadContext.startedByPool || threadContext.control !== undefined

/**
 * Returns the names of the tasks that a module has defined in this thread. Empty if the module was not loaded
 * or defines no tasks. For tools.
 *
 * @category getters
 * @since 0.1.0
 */
export const namesIn = (moduleUrl: string): ReadonlyArray<string> =>
  Array.from(threadContext.modules.get(moduleUrl)?.keys() ?? [])
