/**
 * A task with its options as the scheduler needs them: times in milliseconds, defaults filled in, schemas
 * compiled. Resolved once for each `Task` value.
 */
import * as Result from "effect/Result"
import * as Schema from "effect/Schema"
import { type AnyCallback, isCallback } from "../../Callback.ts"
import {
  isPipeTask,
  isSinkTask,
  isStreamTask,
  isTask,
  type PipeTask,
  type SinkTask,
  type StreamOptions,
  type StreamTask,
  type Task,
  TaskDefinitionError,
  type TaskOptions
} from "../../Task.ts"
import { describe } from "../wire/cloneable.ts"
import { type HostCodec, hostCodec } from "../wire/codec.ts"
import { chainOf, type ErrorClass, isSameChain } from "../wire/errorClasses.ts"
import type { LoopKind } from "../wire/loops.ts"
import { loopCodec, loopOf } from "./loops.ts"
import { described, integer, millis, oneOf, validator } from "./options.ts"

export interface ResolvedTask {
  readonly name: string
  readonly module: string
  readonly timeLimitMillis: number | undefined
  readonly queueTimeLimitMillis: number | undefined
  readonly onInterrupt: "stop" | "wait" | "abandon"
  /** The task's grace period; `undefined` to use the pool's. */
  readonly graceMillis: number | undefined
  readonly mandatory: boolean
  /** How long a stream may be open without a pull. */
  readonly idleLimitMillis: number | undefined
  /** Whether a stream has its thread to itself. */
  readonly exclusive: boolean
  readonly errors: ReadonlyArray<ErrorClass>
  readonly codec: HostCodec | undefined
  /** Whether its body can block its thread to wait for the program or for its input. */
  readonly mayWait: boolean
  /** The callbacks that its body may call, by key; `undefined` if it has no callbacks. */
  readonly callbacks: ReadonlyMap<string, AnyCallback> | undefined
  /** The kind of loop, if it runs over many items at once. */
  readonly loop: LoopKind | undefined
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
    idleTimeLimit: Schema.optional(millis()),
    exclusive: Schema.optional(described(Schema.Boolean, "true or false")),
    attempt: Schema.optional(integer(1))
  } satisfies Record<keyof StreamOptions | keyof TaskOptions, unknown>
)

/** A kind of task, with its resolved tasks. */
interface Kind {
  readonly matches: (task: unknown) => boolean
  /** Completes a message that begins with "Only". */
  readonly what: string
  /** Names the kind and says how it is run, for a message. */
  readonly use: string
  readonly hasInput: boolean
  readonly resolved: WeakMap<object, ResolvedTask>
}

const kind = (matches: Kind["matches"], what: string, use: string, hasInput: boolean): Kind => ({
  matches,
  what,
  use,
  hasInput,
  resolved: new WeakMap()
})

const calls = kind(isTask, "a task made by Task.make can be run", "a task, which Blocking.run runs", false)
const streams = kind(isStreamTask, "a task made by Task.stream can be streamed", "a stream: use Blocking.stream", false)
const sinks = kind(isSinkTask, "a task made by Task.sink can be a sink", "a sink: use Blocking.sink", true)
const pipes = kind(isPipeTask, "a task made by Task.pipe can be a pipe", "a pipe: use Blocking.pipe", true)

/** Resolves a task. Throws a `TaskDefinitionError` for invalid options. */
export const resolve = <Args extends ReadonlyArray<unknown>, A, E, R>(task: Task<Args, A, E, R>): ResolvedTask =>
  calls.resolved.get(task) ?? resolveAs(calls, task)

export const resolveStream = <Args extends ReadonlyArray<unknown>, A, E, R>(
  task: StreamTask<Args, A, E, R>
): ResolvedTask => streams.resolved.get(task) ?? resolveAs(streams, task)

export const resolveSink = <Args extends ReadonlyArray<unknown>, In, A, E, R>(
  task: SinkTask<Args, In, A, E, R>
): ResolvedTask => sinks.resolved.get(task) ?? resolveAs(sinks, task)

export const resolvePipe = <Args extends ReadonlyArray<unknown>, In, A, E, R>(
  task: PipeTask<Args, In, A, E, R>
): ResolvedTask => pipes.resolved.get(task) ?? resolveAs(pipes, task)

const resolveAs = ({ hasInput, matches, resolved, what }: Kind, task: AnyTask): ResolvedTask => {
  if (!matches(task)) {
    const other = [calls, streams, sinks, pipes].find((kind) => kind.matches(task))
    throw new TaskDefinitionError(`Only ${what}, not ${other?.use ?? describe(task)}`)
  }
  const made = make(task, hasInput)
  resolved.set(task, made)
  return made
}

/** The fields that are resolved for a task of any kind. */
interface AnyTask extends Pick<Task<ReadonlyArray<never>, unknown, unknown>, "module" | "name" | "schemas"> {
  readonly options: StreamOptions
}

const make = (task: AnyTask, hasInput: boolean): ResolvedTask => {
  const { module, name, options, schemas } = task
  const loop = loopOf(task)
  const validated = validate(options)
  if (Result.isFailure(validated)) {
    const { actual, expected, message, option } = validated.failure
    const what = message ?? `has ${option} ${describe(actual)}: it must be ${expected}`
    throw new TaskDefinitionError(`Task "${name}" ${what} (${module})`)
  }
  const {
    attempt = 1,
    callbacks = [],
    errors = [],
    exclusive = false,
    gracePeriod,
    idleTimeLimit,
    mandatory = false,
    onInterrupt = "stop",
    queueTimeLimit,
    timeLimit
  } = validated.success
  refuseLookAlikes(errors, `Task "${name}"`, module)
  if (attempt > 1 && schemas === undefined) {
    throw new TaskDefinitionError(
      `Task "${name}" has the option attempt: only a task of Task.schema can have it (${module})`
    )
  }
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
    exclusive,
    errors,
    codec: schemas === undefined
      ? undefined
      : loop === undefined
      ? hostCodec(schemas, attempt)
      : loopCodec(hostCodec(schemas, attempt)),
    mayWait: hasInput || byKey.size > 0,
    callbacks: byKey.size === 0 ? undefined : byKey,
    loop
  }
}

/**
 * Classes are matched by the names of their prototype chain, so two classes with the same names cannot be
 * told apart.
 */
const refuseLookAlikes = (errors: ReadonlyArray<ErrorClass>, task: string, module: string): void => {
  const chains = errors.map((error) => chainOf(error.prototype))
  errors.forEach((error, i) => {
    if (error.name === "") {
      throw new TaskDefinitionError(
        `${task} has a class without a name in errors: give it one, because errors are matched by class name (${module})`
      )
    }
    if (errors.some((other, j) => j < i && other !== error && isSameChain(chains[i]!, chains[j]!))) {
      throw new TaskDefinitionError(
        `${task} has two classes called ${error.name} in errors: rename one, or use Task.schema (${module})`
      )
    }
  })
}

/** A task for requests to the pool itself, such as a lease or a prewarm. */
export const pseudoTask = (name: string): ResolvedTask => ({
  name,
  module: "effect-blocking",
  timeLimitMillis: undefined,
  queueTimeLimitMillis: undefined,
  onInterrupt: "stop",
  graceMillis: undefined,
  mandatory: false,
  idleLimitMillis: undefined,
  exclusive: false,
  errors: [],
  codec: undefined,
  mayWait: false,
  callbacks: undefined,
  loop: undefined
})
