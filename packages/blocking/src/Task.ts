/**
 * Names a synchronous function, so that another thread can find and run it.
 *
 * A `Task` is a body registered under the url of its module and a name. Pool
 * threads import the module, once each, and look the name up; the program only
 * passes the name and the arguments. This module also holds what a body can use
 * while it runs: the stop flag, per-thread values, and moved buffers.
 *
 * **Gotchas**
 *
 * Pool threads load the module in which a task is defined, with everything it
 * imports. Keep tasks in modules of their own, which do not start the program and
 * do not import what the body does not need: a module that imports `effect` makes
 * each thread start about seven times slower, and take over three times the memory.
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
 * A synchronous function that pool threads can find: its module's url, its name,
 * and what it takes and gives.
 *
 * **Details**
 *
 * `Args` is the tuple of the body's parameters, `A` what it returns and `E` the
 * domain error of a body that returns a `Result<A, E>`. `R` are the callbacks that the body may
 * call, which the program provides where it runs the task.
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
  /** The function, to be called without a thread: in place, or in a test. */
  readonly body: (...args: Args) => A | Result.Result<A, E>
  readonly options: TaskOptions
  /** The schemas of `Task.schema`. */
  readonly schemas: TaskSchemas | undefined
}

/**
 * A task whose values have schemas: made by `Task.schema`. Others than threads can carry them.
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
 * A generator function that pool threads can find, of which each element goes to the
 * program as it is asked for. Made by `Task.stream`, and run by `Blocking.stream`.
 *
 * **Details**
 *
 * `Args` is the tuple of the body's parameters, `A` what it yields and `E` the domain
 * error of a body that returns `Result.fail(error)`. `R` are the callbacks that it may call.
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
  /** The function, to be called without a thread: in place, or in a test. */
  readonly body: (...args: Args) => Generator<A, void | Result.Result<void, E>, undefined>
  readonly options: StreamOptions
  readonly schemas: undefined
}

/**
 * A function that pool threads can find, which takes the elements of a stream of the program.
 * Made by `Task.sink`, and run by `Blocking.sink`.
 *
 * **Details**
 *
 * `In` is what it takes, `Args` the tuple of its other parameters, `A` what it returns, and `E`
 * the domain error of a body that returns a `Result<A, E>`. `R` are the callbacks that it may call.
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
  /** The function, to be called without a thread: in place, or in a test. */
  readonly body: (input: Iterable<In>, ...args: Args) => A | Result.Result<A, E>
  readonly options: TaskOptions
  readonly schemas: undefined
}

/**
 * A generator function that pool threads can find, which makes one stream of another. Made by
 * `Task.pipe`, and run by `Blocking.pipe`.
 *
 * **Details**
 *
 * `In` is what it takes, `Args` the tuple of its other parameters, `A` what it yields, and `E`
 * the domain error of a body that returns `Result.fail(error)`. `R` are the callbacks that it may call.
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
  /** The function, to be called without a thread: in place, or in a test. */
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
 * How a task is stopped, limited and described. Every option but `errors` and `callbacks` can be given
 * where the task is defined and changed where it is used, by `Task.with`.
 *
 * @category models
 * @since 0.1.0
 */
export interface TaskOptions {
  /**
   * How long the body may run. Waiting in the queue, the start of a thread and the
   * loading of the module do not count. Past it, the body is asked to stop, and
   * after `gracePeriod` its thread is terminated; the caller gets `JoinError` with
   * reason `TimedOut`. No limit by default.
   */
  readonly timeLimit?: Duration.Input | undefined
  /**
   * How long the task may wait to be started, the wait for room in a full queue
   * included. Past it, it never runs and the caller gets `JoinError` with reason
   * `QueueTimedOut`. No limit by default.
   */
  readonly queueTimeLimit?: Duration.Input | undefined
  /**
   * What an interruption or abort does to a running body. `"stop"` (default) raises
   * the stop flag, terminates the thread after `gracePeriod`, and returns when the
   * body has ended. `"wait"` raises the flag and waits for the body, however long
   * it takes. `"abandon"` raises the flag and returns at once; the thread stays busy
   * until the body ends. A time limit and a shutdown always stop.
   */
  readonly onInterrupt?: "stop" | "wait" | "abandon" | undefined
  /** From the stop flag to the termination of the thread. Defaults to the pool's `gracePeriod`. */
  readonly gracePeriod?: Duration.Input | undefined
  /** Whether a queued task still runs when its pool shuts down. Defaults to `false`. */
  readonly mandatory?: boolean | undefined
  /**
   * Classes whose errors are instances of them again on arrival, found by the name
   * of the class. An error of a subclass is an instance of the nearest class that is
   * named, with the methods of that class. Without it errors keep their fields, message,
   * stack and cause, but not their class. Only where the task is defined.
   */
  readonly errors?: ReadonlyArray<ErrorClass> | undefined
  /**
   * The callbacks that the body may call. They are requirements of the effect that runs the
   * task. Only where the task is defined.
   */
  readonly callbacks?: ReadonlyArray<AnyCallback> | undefined
  /** Put on the span of the task. */
  readonly attributes?: Readonly<Record<string, string | number | boolean>> | undefined
  /**
   * Which attempt this is, for `Task.attempt`. Only of a task of `Task.schema`. Defaults to 1.
   */
  readonly attempt?: number | undefined
}

/**
 * The options of a task that the program pulls from. `timeLimit` counts the time in the body,
 * and not what passes between two pulls.
 *
 * @category models
 * @since 0.1.0
 */
export interface StreamOptions extends TaskOptions {
  /**
   * How long the stream may be open without a pull. Past it, the body is closed, and the
   * next pull fails with `JoinError` and reason `TimedOut`. No limit by default.
   */
  readonly idleTimeLimit?: Duration.Input | undefined
  /**
   * Whether the thread of an open stream serves nothing else: for a body with state of the thread
   * that no other task may touch. It then holds a place in the pool as long as it is open, like a
   * lease. Defaults to `false`.
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
 * The options of `Task.with`: those of a task without `errors` and `callbacks`, which decide
 * the types of its domain error and of what it requires.
 *
 * @category models
 * @since 0.1.0
 */
export interface DerivedOptions extends Omit<TaskOptions, "callbacks" | "errors"> {
  readonly errors?: Invalid<"`errors` belongs to the definition of a task: give it to Task.make"> | undefined
  readonly callbacks?: Invalid<"`callbacks` belongs to the definition of a task: give it to Task.make"> | undefined
}

/**
 * A class whose errors a task names in its `errors`.
 *
 * @category models
 * @since 0.1.0
 */
export type { ErrorClass } from "./internal/wire/errorClasses.ts"

/**
 * The schemas of a task as it keeps them.
 *
 * @category models
 * @since 0.1.0
 */
export type { TaskSchemas } from "./internal/wire/codec.ts"

/**
 * The methods of an error, but for those that every error of Effect has: they are there
 * whatever its class.
 *
 * @category models
 * @since 0.1.0
 */
export type OwnMethods<E> = {
  [K in keyof E]-?: E[K] extends (...args: never) => unknown ? K extends keyof Cause.YieldableError ? never : K : never
}[keyof E]

/**
 * A domain error whose class its task does not name in `errors`: it arrives with its fields
 * and without its methods.
 *
 * @category models
 * @since 0.1.0
 */
export type WithoutMethods<E> = { [K in keyof E as K extends OwnMethods<E> ? never : K]: E[K] }

/**
 * A domain error of which its task names only a superclass in `errors`: it arrives with its
 * fields and the methods of `Super`.
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
 * A task definition that cannot work: thrown where the module is evaluated, because
 * nothing in it can be run.
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
  // What the body returns is what `A` and `E` were inferred from.
  return {
    [TypeId]: variance,
    module,
    name,
    body: called as Task<Args, A, E, R>["body"],
    options: options ?? {},
    schemas
  }
}

/** Which kinds of functions the body can be. A function that returns a generator is as good as one that is one. */
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
      `The first argument of Task.make is the url of the module: write import.meta.url, not ${describe(url)} ` +
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
        "A Task.make inside of a function may run twice: call it at the top level of the module. " +
        "And a bundle is one module, in which names must be unique"
    )
  }
  return { module, called: calledInPlace(body) }
}

/** The body for whoever calls it without a thread: what it marks to be moved is used where it is. */
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
 * Always pass `import.meta.url` and call it at the top level of the module, so that
 * a pool thread that imports the module finds the same definition. Arguments and
 * result are cloned between threads; what cannot be cloned does not compile. A body
 * that returns a `Result<A, E>` gives `Effect<A, E | JoinError>` outside; a body that
 * throws has panicked, which is a `JoinError`.
 *
 * Throws a `TaskDefinitionError` for a url that is none, an empty or repeated name, a
 * body that is not a synchronous function, and in a thread where tasks of another version
 * of this package are defined.
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
 * @see {@link schema} for values that only a schema can carry
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
 * The body takes the decoded `payload` (nothing, if there is no such schema) and
 * returns the type of `success`, or a `Result` with the type of `error`. Values that
 * do not fit their schema fail the task with `JoinError` and reason `NotCloneable`,
 * which names the place. Pool threads load `effect/Schema` for such a task.
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
 * Defines a stream: a generator function whose elements the program gets as it asks for
 * them, while the body runs on a pool thread.
 *
 * **Details**
 *
 * The body runs as far as it is pulled, and one chunk ahead; at a `yield` it can be left,
 * and its thread serves other tasks meanwhile. It always goes on in the same thread. Elements
 * arrive in order, before the end or the failure that follows them. `return Result.fail(error)`
 * ends the stream with a domain error, a throw with a `JoinError`. A consumer that ends early
 * runs the `finally` blocks of the body. Elements marked by `Task.move` are moved.
 *
 * Throws a `TaskDefinitionError` as `Task.make` does.
 *
 * **Gotchas**
 *
 * Other tasks of the thread run between two elements: what `Task.threadLocal` gives can have been
 * used by them.
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
 * Defines a sink: a function that takes the elements of a stream of the program, on a pool
 * thread, and returns what it makes of them.
 *
 * **Details**
 *
 * The first parameter is the input, an `Iterable` to be gone through once. Where it has no
 * element yet, the thread waits, and holds no place in its pool meanwhile: another thread can
 * take it. One chunk is pulled ahead of what the body has taken. A body that returns early stops
 * the stream. If the stream fails or is interrupted, the loop over the input throws, so that
 * `finally` blocks run, as by `Task.checkpoint`; each step is one. `timeLimit` counts the waits as well.
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
 *     db.close() // Without a COMMIT nothing of it is kept.
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
 * Defines a pipe: a generator function that makes one stream of another, on a pool thread.
 *
 * **Details**
 *
 * Its input is as that of `Task.sink`, what it yields as that of `Task.stream`. Where it waits
 * for input, what it has yielded before is sent first.
 *
 * Throws a `TaskDefinitionError` as `Task.make` does.
 *
 * **Example** (Bytes that are unpacked)
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

/** What tasks of all kinds but `Task.make` have; what the body takes and gives is what their types were inferred from. */
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
 * The parameters of a `Task.schema` body: the payload, or none.
 *
 * @category models
 * @since 0.1.0
 */
export type PayloadArguments<Payload extends Schema.ConstraintCodec<unknown, unknown>> = [Payload["Type"], void] extends
  [void, Payload["Type"]]
  // `any` is a payload, and fits both ways like `void`.
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
  // What is no object is refused with the other options, when the task is run. The type of
  // the domain error follows from the `errors` of the definition.
  options: typeof (options ?? {}) === "object"
    ? { ...self.options, ...options, errors: self.options.errors, callbacks: self.options.callbacks }
    : options as TaskOptions
})

export {
  /**
   * Derives a task with other options; its body, its name, its `errors` and its
   * `callbacks` stay the same.
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
 * Marks a buffer or port to be moved to the other thread instead of copied, as an
 * argument or in what a body returns.
 *
 * **Details**
 *
 * Takes an `ArrayBuffer`, a typed array or `DataView`, a `MessagePort`, or anything
 * else that can be transferred. In the program it returns a stand-in (of a typed array
 * another view of the same memory, of anything else an object that can be read like it):
 * the call that gets it moves the memory when its task is accepted, and leaves the
 * sender's empty. A call that is refused, or never run, moves nothing. In a body it
 * returns the value itself, which is moved if the body returns it.
 *
 * What cannot be transferred, such as memory of WebAssembly and of some native addons,
 * is copied. A `SharedArrayBuffer` is shared as it is. Throws a `TypeError` for what is
 * no object of such a kind.
 *
 * **Gotchas**
 *
 * A view of a part of its buffer is copied, not moved, and the copy is returned:
 * moving would detach whatever else lies in that buffer. This is so for most small
 * Node `Buffer`s, which share one.
 *
 * The stand-in of an `ArrayBuffer` or a port is for the call: code that asks for the kind
 * of an object (`new Uint8Array(…)`, Node's functions) does not take it for a buffer.
 *
 * **Example** (A picture that nobody needs here any more)
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
  // What else can be moved, only the platform knows.
  if (typeof value !== "object" || value === null || Array.isArray(value) || isPlain(value)) {
    throw new TypeError(`Task.move takes a buffer, a view of one or a port, not ${describe(value)}`)
  }
  // Shared memory is shared, as it is.
  if ((ArrayBuffer.isView(value) ? value.buffer : value) instanceof SharedArrayBuffer) return value
  const own = compact(value) as A
  if (threadContext.current === 0) return threadContext.inPlace > 0 ? own : standIn(own) // In a body the mark lives as long as the body: it needs no carrier.
  ;(threadContext.moved ??= new WeakSet()).add(own)
  return own
}

// -----------------------------------------------------------------------------
// Inside a body
// -----------------------------------------------------------------------------

/**
 * Makes a value that each thread has once: a database connection, a compiled
 * template, a large table.
 *
 * **Details**
 *
 * The value is made when a body first asks for it, and kept until the thread
 * retires, when `release` gets it; the last made is released first. An `acquire`
 * that throws panics that task, and the next one tries again. A thread that retires
 * has all the time that its releases need; the shutdown of a pool gives them what is
 * left of its `shutdownTimeout`. A thread that is terminated or dies has no chance to
 * release. Outside a pool thread, where a test or
 * `Blocking.inPlace` may run a body, the value is kept until the process ends.
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
 * Returns the `threadData` of the pool that this thread belongs to, `undefined`
 * outside a pool.
 *
 * **Details**
 *
 * The type is the caller's word: the pool's option and its tasks are far apart.
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
 * One atomic load: cheap enough for an inner loop. In a pool process, which shares no
 * memory, a look at the clock, and every 50 µs at what the program has written. `false`
 * outside a pool thread.
 *
 * **Example** (A loop that ends early with what it has)
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
 * Throws a `StopRequested`, so that `finally` blocks run and `using` values are
 * disposed of; the thread survives. A body that catches everything should throw it
 * on. Does nothing outside a pool thread.
 *
 * @see {@link stopRequested} to end with a result of its own
 * @category combinators
 * @since 0.1.0
 */
export const checkpoint: () => void = stops.checkpoint

/**
 * Returns which attempt at its work the running body is: 1 for the first.
 *
 * **When to use**
 *
 * Use where a task can run again after its runner has died in the middle of it
 * (`@effect-blocking/cluster`), to look for what an earlier attempt has left behind.
 *
 * **Details**
 *
 * It is what `attempt` of the task's options says; a cluster sets it. 1 outside a pool thread.
 *
 * **Example** (Goes on where an attempt before has ended)
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
   * What `Task.checkpoint` throws to leave a body.
   *
   * @category errors
   * @since 0.1.0
   */
  StopRequested
} from "./internal/thread/stops.ts"

/**
 * Returns whether this code runs in a pool thread or pool process: from the first line on, in
 * modules that Node preloads (`--import`) too, and not in what a task starts.
 *
 * **When to use**
 *
 * Use to keep a module that defines a task and also starts the program from
 * starting it again in each pool thread.
 *
 * @category getters
 * @since 0.1.0
 */
export const inPoolThread = (): boolean => threadContext.startedByPool || threadContext.control !== undefined

/**
 * Returns the names of the tasks that a module has defined in this thread, by the url of the module. For tools: empty if it
 * was not loaded, or defines none.
 *
 * @category getters
 * @since 0.1.0
 */
export const namesIn = (moduleUrl: string): ReadonlyArray<string> =>
  Array.from(threadContext.modules.get(moduleUrl)?.keys() ?? [])
