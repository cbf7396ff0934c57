/** Tasks that are run over many items at once: what they are for the scheduler. */
import * as Cause from "effect/Cause"
import * as Context from "effect/Context"
import * as Exit from "effect/Exit"
import type { Task } from "../../Task.ts"
import { NotCloneableError } from "../wire/cloneable.ts"
import type { HostCodec } from "../wire/codec.ts"
import type { ChunkArguments, LoopKind, LoopValue } from "../wire/loops.ts"

/** In the cause of a failure: of which item it is, and what those before it gave, if that was wanted. */
export class FailedItem extends Context.Service<FailedItem, {
  readonly index: number
  readonly before: ReadonlyArray<unknown> | undefined
}>()("effect-blocking/internal/task/loops/FailedItem") {}

/** A task as a loop: what it takes is of its kind, and what it gives. */
export type LoopTask<E, R> = Task<Array<unknown>, LoopValue, E, R>

const LoopKey = Symbol("effect-blocking/loop")

interface MaybeLoop {
  readonly [LoopKey]?: LoopKind
}

export const loopOf = (task: object): LoopKind | undefined => (task as MaybeLoop)[LoopKey]

const loops = new WeakMap<object, Map<LoopKind, object>>()

/** The loop of a task: always the same, so that its options are read once. */
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

/** The codec of a loop: each of its items, and of what they give, passes through that of the task. */
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
    // Flags, and the index of what was found, are the loop's own.
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

/** Tells of what does not fit at which place it is. */
const within = <A>(place: string, path: string, convert: () => A): A => {
  try {
    return convert()
  } catch (error) {
    if (!(error instanceof NotCloneableError)) throw error
    throw new NotCloneableError(error.side, place + error.path.slice(path.length), error.message)
  }
}

/** The calls of a body that one run stands for. */
export interface Calls {
  readonly args: ReadonlyArray<ReadonlyArray<unknown>>
  /** What became of each, `undefined` where that is not known; those that were not begun are left out. */
  readonly exitsOf: (exit: Exit.Exit<unknown, unknown>) => ReadonlyArray<Exit.Exit<unknown, unknown> | undefined>
}

/** What of a loop a record shows: each item of a chunk, each range; nothing of a fold, whose values stay in the thread. */
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
      // Nobody heard of what came before.
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
