/**
 * A task with its options in the scheduler's own terms: milliseconds, defaults
 * filled in, schemas compiled. Resolved once for each `Task` value.
 */
import * as Duration from "effect/Duration"
import * as Option from "effect/Option"
import { isTask, type Task, TaskDefinitionError, type TaskOptions } from "../../Task.ts"
import { describe } from "../wire/cloneable.ts"
import { type HostCodec, hostCodec } from "../wire/codec.ts"
import { chainOf, type ErrorClass, isSameChain } from "../wire/errorClasses.ts"
import { optionsProblem } from "./optionsProblem.ts"

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

const optionNames = Object.keys(
  {
    timeLimit: true,
    queueTimeLimit: true,
    onInterrupt: true,
    gracePeriod: true,
    mandatory: true,
    errors: true,
    attributes: true
  } satisfies Record<keyof TaskOptions, true>
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
  const problem = optionsProblem(options, optionNames)
  if (problem !== undefined) throw new TaskDefinitionError(`Task "${name}" ${problem.message} (${module})`)
  const onInterrupt = options.onInterrupt ?? "stop"
  if (onInterrupt !== "stop" && onInterrupt !== "wait" && onInterrupt !== "abandon") {
    throw new TaskDefinitionError(
      `Task "${name}" has onInterrupt ${describe(onInterrupt)}: it must be "stop", "wait" or "abandon" (${module})`
    )
  }
  const mandatory = options.mandatory ?? false
  if (typeof mandatory !== "boolean") {
    throw new TaskDefinitionError(
      `Task "${name}" has mandatory ${describe(mandatory)}: it must be true or false (${module})`
    )
  }
  const errors = options.errors ?? []
  if (!Array.isArray(errors) || !errors.every((error) => typeof error === "function")) {
    throw new TaskDefinitionError(
      `Task "${name}" has errors ${describe(errors)}: it must be an array of classes (${module})`
    )
  }
  const chains = errors.map((error) => chainOf(error.prototype))
  for (let i = 0; i < errors.length; i++) {
    if (errors[i].name === "") {
      throw new TaskDefinitionError(
        `Task "${name}" has a class without a name in errors, by which it could be found again (${module})`
      )
    }
    if (errors.some((error, j) => j < i && error !== errors[i] && isSameChain(chains[i]!, chains[j]!))) {
      throw new TaskDefinitionError(
        `Task "${name}" has two classes called ${errors[i].name} in errors: rename one, or use Task.schema (${module})`
      )
    }
  }
  const millis = (option: "timeLimit" | "queueTimeLimit" | "gracePeriod"): number | undefined => {
    const input = options[option]
    if (input === undefined) return undefined
    const duration = Number.isNaN(input) ? undefined : Option.getOrUndefined(Duration.fromInput(input))
    if (duration === undefined || Duration.isNegative(duration)) {
      throw new TaskDefinitionError(
        `Task "${name}" has ${option} ${describe(input)}: it must be a duration such as "2 seconds" (${module})`
      )
    }
    return Duration.toMillis(duration)
  }
  return {
    name,
    module,
    timeLimitMillis: millis("timeLimit"),
    queueTimeLimitMillis: millis("queueTimeLimit"),
    onInterrupt,
    graceMillis: millis("gracePeriod"),
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
