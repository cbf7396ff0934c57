/**
 * A task with its options in the scheduler's own terms: milliseconds, defaults
 * filled in, schemas compiled. Resolved once for each `Task` value.
 */
import * as Result from "effect/Result"
import * as Schema from "effect/Schema"
import { isTask, type Task, TaskDefinitionError, type TaskOptions } from "../../Task.ts"
import { describe } from "../wire/cloneable.ts"
import { type HostCodec, hostCodec } from "../wire/codec.ts"
import type { ErrorClass } from "../wire/thrown.ts"
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
  readonly errors: ReadonlyArray<ErrorClass>
  readonly codec: HostCodec | undefined
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
    attributes: Schema.optional(described(
      Schema.Record(Schema.String, Schema.Union([Schema.String, Schema.Number, Schema.Boolean, Schema.Undefined])),
      "an object of strings, numbers and booleans"
    ))
  } satisfies Record<keyof TaskOptions, unknown>
)

const resolved = new WeakMap<object, ResolvedTask>()

/** Throws a `TaskDefinitionError` for options that the types would have refused. */
export const resolve = <Args extends ReadonlyArray<unknown>, A, E>(task: Task<Args, A, E>): ResolvedTask => {
  let found = resolved.get(task)
  if (found === undefined) {
    if (!isTask(task)) throw new TaskDefinitionError(`Only a task made by Task.make can be run, not ${describe(task)}`)
    resolved.set(task, found = make(task))
  }
  return found
}

const make = <Args extends ReadonlyArray<unknown>, A, E>(task: Task<Args, A, E>): ResolvedTask => {
  const { module, name, options, schemas } = task
  const validated = validate(options)
  if (Result.isFailure(validated)) {
    const { actual, expected, message, option } = validated.failure
    const what = message ?? `has ${option} ${describe(actual)}: it must be ${expected}`
    throw new TaskDefinitionError(`Task "${name}" ${what} (${module})`)
  }
  const { errors = [], gracePeriod, mandatory = false, onInterrupt = "stop", queueTimeLimit, timeLimit } =
    validated.success
  return {
    name,
    module,
    timeLimitMillis: timeLimit,
    queueTimeLimitMillis: queueTimeLimit,
    onInterrupt,
    graceMillis: gracePeriod,
    mandatory,
    errors,
    codec: schemas === undefined ? undefined : hostCodec(schemas)
  }
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
  errors: [],
  codec: undefined
})
