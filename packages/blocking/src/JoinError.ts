/**
 * The errors of running a task on a thread, as opposed to the errors of the task.
 *
 * `JoinError` is one tagged error with a tagged `reason`: catch every case with
 * `Effect.catchTag("JoinError", …)`, one case with `Effect.catchReason`, or spread the cases into the error
 * channel with `Effect.unwrapReason`. A `Result.fail` of the body is never a `JoinError`: it stays the task's
 * own error.
 *
 * **Example** (Handling a panic and a domain error separately)
 *
 * ```ts
 * import { Effect, Result } from "effect"
 * import { Blocking, Task } from "effect-blocking"
 *
 * const parse = Task.make(import.meta.url, "parse", (text: string) =>
 *   text === "" ? Result.fail({ _tag: "Empty" } as const) : Result.succeed(text.length))
 *
 * export const program = Blocking.run(parse, "text").pipe(
 *   Effect.catchTag("Empty", () => Effect.succeed(0)),
 *   Effect.catchReason("JoinError", "Panicked", ({ thrown }) => Effect.logError(thrown))
 * )
 * ```
 *
 * @module
 * @since 0.1.0
 */
import { hasProperty } from "effect/Predicate"
import * as Schema from "effect/Schema"
import { describe } from "./internal/wire/cloneable.ts"

const TypeId = "~effect-blocking/JoinError"

const Stopped = Schema.Literals(["Checkpoint", "Terminated", "Abandoned"])

/**
 * How a running task was stopped: at a checkpoint (or it ended by itself once asked), by terminating its
 * thread, or by abandoning a thread that could not be terminated.
 *
 * @category models
 * @since 0.1.0
 */
export type Stopped = typeof Stopped.Type

/**
 * The task was aborted, or its scope or pool closed first.
 *
 * **Details**
 *
 * `stage` says whether the body had started: a `Queued` task never ran. `stopped` says how a `Running` task
 * was stopped.
 *
 * @category errors
 * @since 0.1.0
 */
export class Cancelled extends Schema.TaggedError<Cancelled>("effect-blocking/JoinError/Cancelled")("Cancelled", {
  stage: Schema.Literals(["Queued", "Running"]),
  by: Schema.Literals(["Abort", "Shutdown"]),
  stopped: Schema.optional(Stopped),
  /** The event that caused it, in words: "its lease had ended". */
  detail: Schema.optional(Schema.String)
}) {
  override get message(): string {
    const by = this.by === "Abort" ? "by an abort" : "because its pool shut down"
    if (this.detail !== undefined) return `never ran: ${this.detail}`
    return this.stage === "Queued"
      ? `was cancelled ${by} before it started`
      : `was cancelled ${by} while it ran${howStopped(this.stopped)}`
  }
}

/**
 * The body threw.
 *
 * **Details**
 *
 * `thrown` is the thrown value: an error with its original name, message, stack, cause and own fields (and
 * its class, if the task's `errors` names it), or any other value unchanged.
 *
 * @category errors
 * @since 0.1.0
 */
export class Panicked extends Schema.TaggedError<Panicked>("effect-blocking/JoinError/Panicked")("Panicked", {
  thrown: Schema.Defect()
}) {
  override get message(): string {
    return `panicked: ${describeThrown(this.thrown)}`
  }
}

/**
 * The body ran past its `timeLimit` or, if `idle` is `true`, the stream was not pulled within its
 * `idleTimeLimit`.
 *
 * @category errors
 * @since 0.1.0
 */
export class TimedOut extends Schema.TaggedError<TimedOut>("effect-blocking/JoinError/TimedOut")("TimedOut", {
  limitMillis: Schema.Finite,
  stopped: Stopped,
  idle: Schema.optional(Schema.Literal(true))
}) {
  override get message(): string {
    if (this.idle) return `was not pulled within its idle time limit of ${this.limitMillis} ms, and was closed`
    return `ran past its time limit of ${this.limitMillis} ms${howStopped(this.stopped)}`
  }
}

/**
 * The thread or process died under the task: `process.exit`, a signal, a native
 * crash.
 *
 * @category errors
 * @since 0.1.0
 */
export class WorkerExited
  extends Schema.TaggedError<WorkerExited>("effect-blocking/JoinError/WorkerExited")("WorkerExited", {
    exitCode: Schema.optional(Schema.Int),
    signal: Schema.optional(Schema.String),
    cause: Schema.optional(Schema.Defect())
  })
{
  override get message(): string {
    const how = this.signal === undefined ? `exit code ${this.exitCode ?? "unknown"}` : `signal ${this.signal}`
    return `lost its thread, which ended with ${how}`
  }
}

/**
 * The thread outgrew its `resourceLimits` under the task.
 *
 * @category errors
 * @since 0.1.0
 */
export class OutOfMemory
  extends Schema.TaggedError<OutOfMemory>("effect-blocking/JoinError/OutOfMemory")("OutOfMemory", {
    /** The limits that were set, in MB; empty for the platform's own. */
    limits: Schema.Record(Schema.String, Schema.Finite)
  })
{
  override get message(): string {
    const limits = Object.entries(this.limits).map(([name, value]) => `${name} ${value}`).join(", ")
    return `ran out of memory (${limits === "" ? "limits of the platform" : limits}): raise the pool's resourceLimits`
  }
}

/**
 * The task was not started within its `queueTimeLimit`, and never will be.
 *
 * @category errors
 * @since 0.1.0
 */
export class QueueTimedOut
  extends Schema.TaggedError<QueueTimedOut>("effect-blocking/JoinError/QueueTimedOut")("QueueTimedOut", {
    limitMillis: Schema.Finite,
    /** The other tasks that were waiting when it gave up. */
    queueDepth: Schema.Int
  })
{
  override get message(): string {
    return `was not started within ${this.limitMillis} ms (${this.queueDepth} tasks waiting)`
  }
}

/**
 * The queue is full, and the pool's `onFull` is `"fail"`.
 *
 * @category errors
 * @since 0.1.0
 */
export class QueueFull extends Schema.TaggedError<QueueFull>("effect-blocking/JoinError/QueueFull")("QueueFull", {
  capacity: Schema.Int
}) {
  override get message(): string {
    return `was refused: the queue is full (capacity ${this.capacity}): raise queueCapacity, or set onFull to "suspend"`
  }
}

/**
 * The task was submitted after the shutdown of its pool had begun.
 *
 * @category errors
 * @since 0.1.0
 */
export class ShutDown extends Schema.TaggedError<ShutDown>("effect-blocking/JoinError/ShutDown")("ShutDown", {}) {
  override get message(): string {
    return "was refused: the pool is shut down"
  }
}

/**
 * An argument, a result or a domain error cannot cross between threads. Only this task fails: the pool and
 * its threads are not affected.
 *
 * @category errors
 * @since 0.1.0
 */
export class NotCloneable
  extends Schema.TaggedError<NotCloneable>("effect-blocking/JoinError/NotCloneable")("NotCloneable", {
    side: Schema.Literals(["argument", "success", "failure"]),
    /** The path to the value, such as `arguments[0].onDone`. */
    path: Schema.String,
    detail: Schema.String
  })
{
  override get message(): string {
    return `has a value that cannot cross threads at ${this.path}: ${this.detail}`
  }
}

/**
 * The task's module does not load in a pool thread, or does not define the task.
 *
 * @category errors
 * @since 0.1.0
 */
export class LoadFailed extends Schema.TaggedError<LoadFailed>("effect-blocking/JoinError/LoadFailed")("LoadFailed", {
  url: Schema.String,
  /** The error that its evaluation threw; absent if the module loaded but has no task of that name. */
  cause: Schema.optional(Schema.Defect()),
  /** The names of the tasks that the module defines. */
  names: Schema.Array(Schema.String)
}) {
  override get message(): string {
    if (this.cause !== undefined) {
      const { cause, url } = this
      return `could not be loaded: ${describeThrown(cause)}${parserHint(cause, url)}${loaderHint(cause)}`
    }
    const names = this.names.length === 0 ? "no task" : `only ${this.names.map((name) => `"${name}"`).join(", ")}`
    return `is not defined by its module, which defines ${names}: ` +
      "call Task.make with import.meta.url, at the top level of the module and not inside a function"
  }
}

/** Node's codes for a module that it cannot find, or whose kind it does not know. */
const loaderCodes = new Set<unknown>([
  "ERR_MODULE_NOT_FOUND",
  "ERR_PACKAGE_IMPORT_NOT_DEFINED",
  "ERR_PACKAGE_PATH_NOT_EXPORTED",
  "ERR_UNKNOWN_FILE_EXTENSION",
  "ERR_UNSUPPORTED_DIR_IMPORT",
  "ERR_UNSUPPORTED_ESM_URL_SCHEME",
  "ERR_UNSUPPORTED_TYPESCRIPT_SYNTAX",
  "ERR_INVALID_TYPESCRIPT_SYNTAX"
])

/** The place of a syntax error. Node puts it above the stack, or prints it only when the error ends the process. */
const parserHint = (cause: unknown, url: string): string => {
  if (!(cause instanceof SyntaxError)) return ""
  const { stack } = cause
  if (typeof stack !== "string") return ""
  const place = /^(?!SyntaxError)(.+:\d+)\n/.exec(stack)?.[1]
  if (place !== undefined) return ` (${place})`
  // Without Node's own frame, code such as JSON.parse threw it.
  const firstFrame = stack.split("\n").find((line) => line.trimStart().startsWith("at "))
  return firstFrame?.includes("node:internal/modules/") ? `. To see where, run: node --import ${url} --eval 0` : ""
}

/** Advice for a module that the program may have found by means that a pool thread lacks: it has only Node's loader. */
const loaderHint = (cause: unknown): string => {
  if (typeof cause !== "object" || cause === null || !("code" in cause) || !loaderCodes.has(cause.code)) return ""
  // These files are reached only through the export condition of threads: an installation has them, a copy
  // of traced files may not.
  if ("message" in cause && /effect-blocking[\\/]dist[\\/]/.test(String(cause.message))) {
    return ". Only pool threads load this file: if a tool traces the program's files, add this one to its trace"
  }
  return ". A pool thread loads modules as Node does, without the aliases, virtual modules and syntax of a bundler or test " +
    "runner. Write a relative path with its extension, or name it under \"imports\" in package.json (#name)"
}

/**
 * Several attempts to start a thread failed, or the thread did not report ready in time.
 *
 * @category errors
 * @since 0.1.0
 */
export class SpawnFailed
  extends Schema.TaggedError<SpawnFailed>("effect-blocking/JoinError/SpawnFailed")("SpawnFailed", {
    attempts: Schema.Int,
    cause: Schema.Defect()
  })
{
  override get message(): string {
    const failed = this.attempts === 1 ? "its start failed with" : `${this.attempts} starts failed, the last with`
    return `got no thread: ${failed} ${describeThrown(this.cause)}`
  }
}

/**
 * The task was submitted from inside a callback to a pool whose threads all wait for callbacks. It could
 * start only when one of them gets its answer, and that answer may depend on this task.
 *
 * **Details**
 *
 * Waiting threads hold no place, so the pool can start others, up to twice `maxThreads` in all; `threads` is
 * the number that wait. A call on a lease also fails with this reason if the lease's thread waits for the
 * caller, or if the body could wait there for a stream that is open on the same thread: `detail` then says
 * so.
 *
 * @category errors
 * @since 0.1.0
 */
export class WouldDeadlock
  extends Schema.TaggedError<WouldDeadlock>("effect-blocking/JoinError/WouldDeadlock")("WouldDeadlock", {
    threads: Schema.Int,
    maxThreads: Schema.Int,
    detail: Schema.optional(Schema.String)
  })
{
  override get message(): string {
    if (this.detail !== undefined) return `could hang: ${this.detail}`
    return `would never begin: it was submitted from inside a callback, and ${
      this.threads === 1 ? "the thread that could run it waits" : `all ${this.threads} threads that could run it wait`
    } for callbacks: raise maxThreads (${this.maxThreads}), or run it on another pool`
  }
}

/**
 * The reason why a task did not run to its end.
 *
 * @category errors
 * @since 0.1.0
 */
export type JoinErrorReason =
  | Cancelled
  | Panicked
  | TimedOut
  | WorkerExited
  | OutOfMemory
  | QueueTimedOut
  | QueueFull
  | ShutDown
  | NotCloneable
  | LoadFailed
  | SpawnFailed
  | WouldDeadlock

/**
 * Schema of every `JoinErrorReason`.
 *
 * @category schemas
 * @since 0.1.0
 */
export const JoinErrorReason: Schema.Union<[
  typeof Cancelled,
  typeof Panicked,
  typeof TimedOut,
  typeof WorkerExited,
  typeof OutOfMemory,
  typeof QueueTimedOut,
  typeof QueueFull,
  typeof ShutDown,
  typeof NotCloneable,
  typeof LoadFailed,
  typeof SpawnFailed,
  typeof WouldDeadlock
]> = Schema.Union([
  Cancelled,
  Panicked,
  TimedOut,
  WorkerExited,
  OutOfMemory,
  QueueTimedOut,
  QueueFull,
  ShutDown,
  NotCloneable,
  LoadFailed,
  SpawnFailed,
  WouldDeadlock
])

/**
 * The error of a task that did not run to its end, with the task's name, module and id.
 *
 * **Details**
 *
 * `id` counts the tasks of one pool; it is 0 for a task refused before it got one. `cause` is the value that
 * the body threw, or the error of its module or thread, so that `Cause.pretty` shows it.
 *
 * @category errors
 * @since 0.1.0
 */
export class JoinError extends Schema.TaggedError<JoinError>("effect-blocking/JoinError")("JoinError", {
  task: Schema.String,
  module: Schema.String,
  id: Schema.Int,
  reason: JoinErrorReason,
  /** The index of the failed item, for a task that `Parallel` runs over many items. */
  item: Schema.optional(Schema.Int),
  /** Present if the failed item is only known to lie between `item` and this index. */
  lastItem: Schema.optional(Schema.Int)
}) {
  declare readonly [TypeId]: typeof TypeId

  static {
    // On the prototype: a field would be printed with each error.
    Object.defineProperty(this.prototype, TypeId, { value: TypeId })
    // Printed before the message, instead of the identifier of the schema.
    Object.defineProperty(this.prototype, "name", { value: "JoinError", configurable: true, writable: true })
  }

  override get message(): string {
    const last = this.lastItem === undefined ? "" : ` to items[${this.lastItem}]`
    const item = this.item === undefined ? "" : ` at items[${this.item}]${last}`
    return `Task "${this.task}"${item} (#${this.id}, ${this.module}) ${this.reason.message}`
  }

  override get cause(): unknown {
    switch (this.reason._tag) {
      case "Panicked":
        return this.reason.thrown
      case "WorkerExited":
      case "LoadFailed":
      case "SpawnFailed":
        return this.reason.cause
      default:
        return undefined
    }
  }
}

/**
 * Returns whether a value is a `JoinError`.
 *
 * @category guards
 * @since 0.1.0
 */
export const isJoinError = (u: unknown): u is JoinError => hasProperty(u, TypeId)

const howStopped = (stopped: Stopped | undefined): string => {
  switch (stopped) {
    case "Checkpoint":
      return ", and ended when asked"
    case "Terminated":
      return ", and its thread was terminated"
    case "Abandoned":
      return ", and its thread could not be terminated and was abandoned"
    case undefined:
      return ""
  }
}

/** A thrown value in one line. Plain objects are shown as JSON, not as `[object Object]`. */
const describeThrown = (thrown: unknown): string => {
  if (typeof thrown === "string") return JSON.stringify(thrown)
  if (thrown instanceof Error || typeof thrown !== "object" || thrown === null) return describe(thrown)
  try {
    return JSON.stringify(thrown) ?? describe(thrown)
  } catch {
    return describe(thrown)
  }
}
