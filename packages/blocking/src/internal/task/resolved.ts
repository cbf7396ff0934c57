/**
 * A task with its options in the scheduler's own terms: milliseconds, defaults
 * filled in, schemas compiled. Resolved once for each `Task` value.
 */
import * as Result from "effect/Result"
import * as Schema from "effect/Schema"
import { type AnyCallback, isCallback } from "../../Callback.ts"
import {
  isStreamTask,
  isTask,
  type StreamOptions,
  type StreamTask,
  type Task,
  TaskDefinitionError,
  type TaskOptions
} from "../../Task.ts"
import { describe } from "../wire/cloneable.ts"
import { type HostCodec, hostCodec } from "../wire/codec.ts"
import { chainOf, type ErrorClass, isSameChain } from "../wire/errorClasses.ts"
import { described, millis, oneOf, validator } from "./options.ts"

export interface ResolvedTask {
  readonly name: string
  readonly module: string
  readonly timeLimitMillis: number | undefined
  readonly queueTimeLimitMillis: number | undefined
  readonly onInterrupt: "stop" | "wait" | "abandon"
  /** `undefined`: the pool's. */
  readonly graceMillis: number | undefined
  readonly mandatory: boolean
  /** How long a stream may be open without a pull. */
  readonly idleLimitMillis: number | undefined
  readonly errors: ReadonlyArray<ErrorClass>
  readonly codec: HostCodec | undefined
  /** The callbacks that its body may call, by their keys; `undefined`: none. */
  readonly callbacks: ReadonlyMap<string, AnyCallback> | undefined
}

const isClass = (value: unknown): value is ErrorClass => typeof value === "function"

const validate = validator(
  {
    timeLimit: Schema.optional(millis()),
    queueTimeLimit: Schema.optional(millis()),
    onInterrupt: Schema.optional(oneOf("stop", "wait", "abandon")),
    gracePeriod: Schema.optional(millis()),
    mandatory: Schema.optional(described(Schema.Boolean, "true or false")),
    errors: Schema.optional(described(Schema.Array(Schema.declare(isClass)), "an array of classes")),
    callbacks: Schema.optional(described(
      Schema.Array(Schema.declare(isCallback)),
      "an array of classes that Callback.Service has made"
    )),
    attributes: Schema.optional(described(
      Schema.Record(Schema.String, Schema.Union([Schema.String, Schema.Number, Schema.Boolean, Schema.Undefined])),
      "an object of strings, numbers and booleans"
    )),
    idleTimeLimit: Schema.optional(millis())
  } satisfies Record<keyof StreamOptions | keyof TaskOptions, unknown>
)

const resolved = new WeakMap<object, ResolvedTask>()
const resolvedStreams = new WeakMap<object, ResolvedTask>()

/** Throws a `TaskDefinitionError` for options that the types would have refused. */
export const resolve = <Args extends ReadonlyArray<unknown>, A, E, R>(task: Task<Args, A, E, R>): ResolvedTask => {
  let found = resolved.get(task)
  if (found === undefined) {
    if (!isTask(task)) {
      const what = isStreamTask(task) ? "a stream, which Blocking.stream runs" : describe(task)
      throw new TaskDefinitionError(`Only a task made by Task.make can be run, not ${what}`)
    }
    resolved.set(task, found = make(task))
  }
  return found
}

/** The same for a stream. */
export const resolveStream = <Args extends ReadonlyArray<unknown>, A, E>(
  task: StreamTask<Args, A, E>
): ResolvedTask => {
  let found = resolvedStreams.get(task)
  if (found === undefined) {
    if (!isStreamTask(task)) {
      throw new TaskDefinitionError(`Only a task made by Task.stream can be streamed, not ${describe(task)}`)
    }
    resolvedStreams.set(task, found = make(task))
  }
  return found
}

/** Of whatever kind of task, what is resolved. */
interface AnyTask extends Pick<Task<ReadonlyArray<never>, unknown, unknown>, "module" | "name" | "schemas"> {
  readonly options: StreamOptions
}

const make = (task: AnyTask): ResolvedTask => {
  const { module, name, options, schemas } = task
  const validated = validate(options)
  if (Result.isFailure(validated)) {
    const { actual, expected, message, option } = validated.failure
    const what = message ?? `has ${option} ${describe(actual)}: it must be ${expected}`
    throw new TaskDefinitionError(`Task "${name}" ${what} (${module})`)
  }
  const {
    callbacks = [],
    errors = [],
    gracePeriod,
    idleTimeLimit,
    mandatory = false,
    onInterrupt = "stop",
    queueTimeLimit,
    timeLimit
  } = validated.success
  refuseLookAlikes(errors, `Task "${name}"`, module)
  const byKey = new Map(callbacks.map((callback) => [callback.key, callback]))
  if (byKey.size < callbacks.length) {
    throw new TaskDefinitionError(`Task "${name}" has two callbacks with the same key (${module})`)
  }
  return {
    name,
    module,
    timeLimitMillis: timeLimit,
    queueTimeLimitMillis: queueTimeLimit,
    onInterrupt,
    graceMillis: gracePeriod,
    mandatory,
    idleLimitMillis: idleTimeLimit,
    errors,
    codec: schemas === undefined ? undefined : hostCodec(schemas),
    callbacks: byKey.size === 0 ? undefined : byKey
  }
}

/** Classes are found again by the names of their chain: two that have the same cannot be told apart. */
const refuseLookAlikes = (errors: ReadonlyArray<ErrorClass>, task: string, module: string): void => {
  const chains = errors.map((error) => chainOf(error.prototype))
  errors.forEach((error, i) => {
    if (error.name === "") {
      throw new TaskDefinitionError(
        `${task} has a class without a name in errors, by which it could be found again (${module})`
      )
    }
    if (errors.some((other, j) => j < i && other !== error && isSameChain(chains[i]!, chains[j]!))) {
      throw new TaskDefinitionError(
        `${task} has two classes called ${error.name} in errors: rename one, or use Task.schema (${module})`
      )
    }
  })
}

/** Stands in for a task in what is asked of a pool itself: a lease, a prewarm. */
export const pseudoTask = (name: string): ResolvedTask => ({
  name,
  module: "effect-blocking",
  timeLimitMillis: undefined,
  queueTimeLimitMillis: undefined,
  onInterrupt: "stop",
  graceMillis: undefined,
  mandatory: false,
  idleLimitMillis: undefined,
  errors: [],
  codec: undefined,
  callbacks: undefined
})
