/** The tasks of a farm by tag and version, and the encoding of their values as JSON. */
import * as JoinError from "effect-blocking/JoinError"
import * as Task from "effect-blocking/Task"
import * as Duration from "effect/Duration"
import * as Result from "effect/Result"
import * as Schema from "effect/Schema"
import { ClusterPoolError, type ClusterPoolErrorReason, Incompatible, UnknownTask } from "../ClusterPoolError.ts"

export type AnyTask = Task.SchemaTask<never, unknown, unknown, unknown>

export interface Entry {
  readonly task: AnyTask
  readonly tag: string
  readonly version: number
  readonly payload: Side
  readonly success: Side
  readonly error: Side
}

/** One schema, from values to JSON text and back. */
interface Side {
  readonly schema: Schema.ConstraintCodec<unknown, unknown>
  readonly encode: (value: unknown) => Result.Result<string, string>
  readonly decode: (text: string) => Result.Result<unknown, string>
}

const sideOf = (given: unknown, otherwise: Schema.ConstraintCodec<unknown, unknown>): Side => {
  const schema = (given ?? otherwise) as Schema.ConstraintCodec<unknown, unknown>
  const codec = Schema.toCodecJson(schema) as Schema.ConstraintCodec<unknown, unknown>
  const encode = Schema.encodeUnknownResult(codec)
  const decode = Schema.decodeUnknownResult(codec)
  return {
    schema,
    encode: (value) =>
      Result.mapError(Result.map(encode(value), (encoded) => JSON.stringify(encoded) ?? ""), ({ message }) => message),
    decode: (text) => Result.mapError(decode(text === "" ? undefined : JSON.parse(text)), ({ message }) => message)
  }
}

export interface Definition {
  readonly farm: string
  readonly tags: ReadonlyArray<string>
  readonly byTag: ReadonlyMap<string, Entry>
  /** The entry of a task or of one derived from it. */
  readonly entryOf: (task: AnyTask) => Entry | undefined
  readonly error: (task: string, reason: ClusterPoolErrorReason) => ClusterPoolError
}

/** Throws a `TaskDefinitionError`, like every other mistake in the definition of a task. */
export const define = (
  farm: string,
  tasks: ReadonlyArray<AnyTask | { readonly task: AnyTask; readonly tag?: string; readonly version?: number }>
): Definition => {
  const byTag = new Map<string, Entry>()
  const byTask = new Map<string, Entry>()
  for (const given of tasks) {
    const { tag, task, version = 1 } = "task" in given ? given : { task: given, tag: undefined }
    if (!Task.isTask(task) || task.schemas === undefined) {
      throw new Task.TaskDefinitionError(
        `${farm} takes only tasks of Task.schema, whose values can be stored: ${kindOf(task)}`
      )
    }
    const name = tag ?? task.name
    if (byTag.has(name)) {
      throw new Task.TaskDefinitionError(`${farm} has two tasks "${name}": give one a tag, { task, tag: "…" }`)
    }
    if (!Number.isSafeInteger(version)) {
      throw new Task.TaskDefinitionError(`Task "${name}" of ${farm} has version ${version}: it must be an integer`)
    }
    const { error, payload, success } = task.schemas
    const entry: Entry = {
      task,
      tag: name,
      version,
      payload: sideOf(payload, Schema.Void),
      success: sideOf(success, Schema.Void),
      error: sideOf(error, Schema.Never)
    }
    byTag.set(name, entry)
    byTask.set(idOf(task), entry)
  }
  return {
    farm,
    tags: Array.from(byTag.keys()),
    byTag,
    entryOf: (task) => byTask.get(idOf(task)),
    error: (task, reason) => new ClusterPoolError({ farm, task, reason })
  }
}

/** Says what was given instead of a task of `Task.schema`. */
const kindOf = (given: unknown): string => {
  const kind = Task.isTask(given)
    ? "of Task.make"
    : Task.isStreamTask(given)
    ? "a stream"
    : Task.isSinkTask(given)
    ? "a sink"
    : Task.isPipeTask(given)
    ? "a pipe"
    : undefined
  if (kind === undefined) return "this is no task"
  const { module, name } = given as { readonly module: string; readonly name: string }
  return `"${name}" is ${kind} (${module})`
}

const idOf = ({ module, name }: AnyTask): string => `${module}\n${name}`

/** The entry for a task of this tag and version, or the reason why this side cannot run it. */
export const entryFor = (
  { byTag, tags }: Definition,
  tag: string,
  version: number,
  where: string
): Result.Result<Entry, UnknownTask | Incompatible> => {
  const entry = byTag.get(tag)
  if (entry === undefined) return Result.fail(new UnknownTask({ known: tags, where }))
  if (entry.version === version) return Result.succeed(entry)
  const detail = `${where} has version ${entry.version}, and it was sent as version ${version}`
  return Result.fail(new Incompatible({ side: "version", detail }))
}

/** The options that a derived task takes with it to its runner; `undefined` if they are those of its definition. */
export const optionsOf = ({ task: defined }: Entry, task: AnyTask): string | undefined => {
  if (task.options === defined.options) return undefined
  const { attributes, gracePeriod, mandatory, onInterrupt, queueTimeLimit, timeLimit } = task.options
  return JSON.stringify({
    attributes,
    mandatory,
    onInterrupt,
    gracePeriod: millis(gracePeriod),
    queueTimeLimit: millis(queueTimeLimit),
    timeLimit: millis(timeLimit)
  })
}

const millis = (input: Duration.Input | undefined): number | undefined => {
  if (input === undefined) return undefined
  const duration = Duration.toMillis(Duration.fromInputUnsafe(input))
  return Number.isFinite(duration) ? duration : undefined
}

/** The number of derived tasks that are kept. Arbitrary: callers have few sets of options. */
const mostDerived = 200

/** Derives a task with options from another program; the same one for the same options, so that a pool resolves it once. */
export const makeDerive = () => {
  const derived = new Map<string, AnyTask>()
  return (entry: Entry, options: string | undefined, attempt: number): AnyTask => {
    if (options === undefined && attempt === 1) return entry.task
    const id = JSON.stringify([entry.tag, attempt, options])
    let task = derived.get(id)
    if (task === undefined) {
      if (derived.size >= mostDerived) derived.clear()
      const given = options === undefined ? {} : JSON.parse(options)
      derived.set(id, task = Task.with(entry.task, { ...given, attempt }))
    }
    return task
  }
}

const joinErrors = sideOf(JoinError.JoinError, Schema.Never)

/** The error as JSON. If it holds a value that JSON cannot carry, a panic with its message stands in for it. */
export const encodeJoinError = (error: JoinError.JoinError): string =>
  Result.getOrElse(joinErrors.encode(error), () => {
    const { id, module, task } = error
    const reason = new JoinError.Panicked({ thrown: new Error(error.message) })
    return Result.getOrThrow(joinErrors.encode(new JoinError.JoinError({ id, module, task, reason })))
  })

export const decodeJoinError = (text: string): JoinError.JoinError =>
  Result.getOrThrow(joinErrors.decode(text)) as JoinError.JoinError
