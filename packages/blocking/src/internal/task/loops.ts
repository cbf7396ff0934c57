/** Tasks that run over many items at once, as the scheduler sees them. */
import * as Cause from "effect/Cause"
import * as Context from "effect/Context"
import * as Exit from "effect/Exit"
import type { Task } from "../../Task.ts"
import { NotCloneableError } from "../wire/cloneable.ts"
import type { HostCodec } from "../wire/codec.ts"
import type { ChunkArguments, LoopKind, LoopValue } from "../wire/loops.ts"

/**
 * Annotation of the cause of a failure: the index of the failed item, and the results before it if they were
 * requested.
 */
export class FailedItem extends Context.Service<FailedItem, {
  readonly index: number
  readonly before: ReadonlyArray<unknown> | undefined
}>()("effect-blocking/internal/task/loops/FailedItem") {}

/** A task as a loop. Its arguments and results depend on the kind of loop. */
export type LoopTask<E, R> = Task<Array<unknown>, LoopValue, E, R>

const LoopKey = Symbol("effect-blocking/loop")

interface MaybeLoop {
  readonly [LoopKey]?: LoopKind
}

export const loopOf = (task: object): LoopKind | undefined => (task as MaybeLoop)[LoopKey]

const loops = new WeakMap<object, Map<LoopKind, object>>()

/** The loop of a task. Always the same object, so that its options are resolved once. */
export const loopTask = <Args extends ReadonlyArray<unknown>, A, E, R>(
  task: Task<Args, A, E, R>,
  kind: LoopKind
): LoopTask<E, R> => {
  let known = loops.get(task)
  if (known === undefined) loops.set(task, known = new Map())
  let loop = known.get(kind)
  if (loop === undefined) known.set(kind, loop = { ...task, [LoopKey]: kind })
  return loop as LoopTask<E, R>
}

/** The codec of a loop: applies the task's codec to each item and to each result. */
export const loopCodec = ({ decodeError, decodeSuccess, encodeArguments }: HostCodec): HostCodec => ({
  encodeArguments: (args) => {
    const [first, items, ...rest] = args as ChunkArguments
    if (typeof items === "number") return args
    return [
      first,
      items.map((item, i) => within(`arguments[1][${i}]`, "arguments[0]", () => encodeArguments([item])[0])),
      ...rest
    ]
  },
  decodeSuccess: (value) => {
    const [millis, done, values, ...rest] = value as LoopValue
    // Flags and the index found belong to the loop and are not encoded.
    const given = values instanceof Float64Array ? Array.from(values) : values
    if (!Array.isArray(given)) return value
    return [
      millis,
      done,
      given.map((value, i) => within(`result[2][${i}]`, "result", () => decodeSuccess(value))),
      ...rest
    ]
  },
  decodeError,
  decodeItem: decodeSuccess
})

/** Adds the place of the item to the path of an error. */
const within = <A>(place: string, path: string, convert: () => A): A => {
  try {
    return convert()
  } catch (error) {
    if (!(error instanceof NotCloneableError)) throw error
    throw new NotCloneableError(error.side, place + error.path.slice(path.length), error.message)
  }
}

/** The body calls that one run consists of. */
export interface Calls {
  readonly args: ReadonlyArray<ReadonlyArray<unknown>>
  /** The exit of each call, `undefined` where it is not known; calls that were not begun are left out. */
  readonly exitsOf: (exit: Exit.Exit<unknown, unknown>) => ReadonlyArray<Exit.Exit<unknown, unknown> | undefined>
}

/**
 * The calls recorded for a loop: one for each item of a chunk and for each range. None for a fold, whose
 * values stay in the thread.
 */
export const callsOf = (task: object, given: ReadonlyArray<unknown>): Calls | undefined => {
  const kind = loopOf(task)
  if (kind === undefined) return undefined
  const [first, items, , extra] = given as ChunkArguments
  if (kind === "fold") return { args: [], exitsOf: () => [] }
  if (typeof items === "number") {
    return {
      args: [[first, first + items, ...extra]],
      exitsOf: (exit) => [Exit.map(exit, (value) => ((value as LoopValue)[2] as ReadonlyArray<unknown>)[0])]
    }
  }
  return {
    args: items.map((item) => [item]),
    exitsOf: (exit) => {
      if (Exit.isSuccess(exit)) {
        const [, done, value] = exit.value as LoopValue
        return items.slice(0, done).map((_, i) => Exit.succeed(resultOf(kind, value, first, i)))
      }
      const failed = Context.getOrUndefined(Cause.annotations(exit.cause), FailedItem)
      // The results before the failed item were not sent.
      return failed === undefined ? [exit] : [...items.slice(0, failed.index - first).map(() => undefined), exit]
    }
  }
}

const resultOf = (kind: LoopKind, value: unknown, first: number, i: number): unknown => {
  switch (kind) {
    case "map":
      return (value as ReadonlyArray<unknown>)[i]
    case "filter":
      return (value as Uint8Array)[i] === 1
    case "find":
      return first + i === value
    default:
      return undefined
  }
}
