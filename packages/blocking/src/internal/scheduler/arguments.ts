/**
 * The arguments of a run, which owns them from the call on. Values that the caller could still
 * change are copied at once. Values to be moved stay with the caller until the run is
 * accepted, so that a refusal leaves them intact.
 */
import { NotCloneable } from "../../JoinError.ts"
import type { ThreadHost } from "../../ThreadHost.ts"
import {
  compact,
  describe,
  explain,
  findUncloneable,
  isMutable,
  NotCloneableError,
  refuseLost
} from "../wire/cloneable.ts"
import * as controlBlock from "../wire/controlBlock.ts"
import { isSlice } from "../wire/loops.ts"
import {
  detach,
  findStandIns,
  forget,
  isDetached,
  movedValue,
  substitute,
  transferables,
  transferring,
  viewsAreOut
} from "../wire/moved.ts"
import { failure, type Outcome } from "./outcome.ts"
import type { PayloadAddress, Payloads } from "./payloads.ts"
import type { Run } from "./run.ts"

declare const structuredClone: <A>(value: A, options?: { readonly transfer: ReadonlyArray<object> }) => A

/** Values of a run's arguments that will be moved, and still belong to the caller. */
export interface Moves {
  readonly values: ReadonlyArray<object>
  /** The run's arguments, with the given values in place of the originals. */
  readonly fill: (values: ReadonlyArray<unknown>) => Array<unknown>
  readonly pathOf: (value: object) => string
}

/** The time of a longer copy estimates how long the thread takes to read it. Arbitrary. */
const longCopyMillis = 0.5

/** Gives the run its own arguments; returns its outcome if they cannot cross. Leaves the caller's array unchanged. */
export const ownArguments = (run: Run, host: ThreadHost, payloads: Payloads | undefined): Outcome | undefined => {
  const { codec, loop } = run.task
  const given = run.args as Array<unknown>
  if (codec === undefined && (controlBlock.fits(given) || (loop !== undefined && isSlice(given)))) return undefined
  let args = given
  try {
    if (codec !== undefined) args = codec.encodeArguments(args.map((value) => movedValue(value) ?? value))
    if (payloads !== undefined && !(viewsAreOut() && findStandIns(args).size > 0)) {
      const address = payloads.write(args)
      if (address !== undefined) {
        keepPayload(run, address, payloads)
        return undefined
      }
    }
    if (codec === undefined && !given.some(isMutable)) return undefined
    refuseLost(args, "argument", "arguments")
    const startedAt = host.now()
    own(run, args, host)
    const millis = host.now() - startedAt
    if (millis > longCopyMillis) run.detailed().copyMillis = millis
    return undefined
  } catch (error) {
    return notCloneable(run, args, error, host)
  }
}

/** How long a thread takes to read a payload, per byte. Measured, for tiny objects. */
const readMillis = 1e-5

const keepPayload = (run: Run, address: PayloadAddress, payloads: Payloads): void => {
  run.args = address
  if (payloads.parts.length > 0) run.detailed().transfer = payloads.parts
  const millis = readMillis * payloads.lengthOf(address)
  if (millis > longCopyMillis) run.detailed().copyMillis = millis
}

/** Frees the run's arguments: its thread has read them, or none ever will. */
export const releaseArguments = (run: Run, payloads: Payloads | undefined): void => {
  if (typeof run.args === "number") payloads!.release(run.args)
  run.args = noArguments
}

const noArguments: Array<unknown> = []

const own = (run: Run, args: Array<unknown>, host: ThreadHost): void => {
  if (!args.some(isStandIn)) {
    if (viewsAreOut() && ownMovedFromWithin(run, args, host)) return
    try {
      run.args = copy(args, host)
    } catch (error) {
      if (!ownMovedFromWithin(run, args, host)) throw error
    }
    return
  }
  // The usual case: whole arguments are moved.
  const moved = args.map(movedValue)
  const values = Array.from(new Set(moved.filter((value) => value !== undefined)))
  const rest = args.map((value, i) => moved[i] === undefined ? value : undefined)
  if (host.pack !== undefined || !isFreeOfStandIns(rest)) {
    return ownAround(run, args, Array.from(findStandIns(args)), host)
  }
  const copied = copy(rest, host) as Array<unknown>
  keepMoves(run, copied, {
    values,
    pathOf: (value) => `arguments[${moved.indexOf(value)}]`,
    fill: (filled) => copied.map((value, i) => moved[i] === undefined ? value : filled[values.indexOf(moved[i])])
  })
}

/** Handles moved values inside of other values, if there are any. */
const ownMovedFromWithin = (run: Run, args: Array<unknown>, host: ThreadHost): boolean => {
  const values = Array.from(findStandIns(args))
  if (values.length > 0) ownAround(run, args, values, host)
  return values.length > 0
}

/** Handles moved values inside of other values: the copy has slots, which are found and filled later. */
const ownAround = (run: Run, args: Array<unknown>, values: ReadonlyArray<object>, host: ThreadHost): void => {
  if (host.pack !== undefined) {
    // No memory is shared: moved values are copied with the rest, and then taken from their owner.
    keepMoves(run, copy(substitute(args, movedValue) as Array<unknown>, host), { values, pathOf, fill: () => [] })
    return
  }
  const slots = values.map(() => ({}))
  const emptied = substitute(args, (part) => {
    const value = movedValue(part)
    return value && slots[values.indexOf(value)]
  })
  const [copied, copiedSlots] = structuredClone([emptied, slots] as const)
  keepMoves(run, copied as Array<unknown>, {
    values,
    pathOf,
    fill: (filled) =>
      substitute(copied, (part) => filled[copiedSlots.indexOf(part)] as object | undefined) as Array<unknown>
  })
}

const isStandIn = (value: unknown): boolean => movedValue(value) !== undefined

/** The path of a value that is moved from inside of another, or packed. */
const pathOf = (): string => "arguments"

const keepMoves = (run: Run, args: Run["args"], moves: Moves): void => {
  const gone = moves.values.find(isDetached)
  if (gone !== undefined) throw new NotCloneableError("argument", moves.pathOf(gone), movedBefore)
  run.args = args
  run.detailed().moves = moves
}

const movedBefore = "It was moved before, and is empty: make it anew for each run, in Effect.suspend"

const isFreeOfStandIns = (args: Array<unknown>): boolean => !args.some(isMutable) || findStandIns(args).size === 0

/** A copy that later changes do not reach; throws the clone's error. */
const copy = (args: Array<unknown>, host: ThreadHost): Run["args"] => {
  if (!args.some(isMutable)) return args
  const compacted = args.map(compact)
  if (host.pack !== undefined) return host.pack(compacted)
  // Compacting has already copied the values that it changed.
  return compacted.every((value, i) => value !== args[i] || !isMutable(value)) ? compacted : structuredClone(compacted)
}

/** Prepares the run for a message that is posted at once, and takes the moved values from their owner. */
export const prepareTransfer = (run: Run): void => {
  const details = run.details!
  const { fill, values } = details.moves!
  run.args = fill(values)
  details.transfer = transferables(values)
}

/**
 * Takes the values to be moved from their owner. Returns the run's outcome if one of them
 * is already empty, or can be neither moved nor copied.
 */
export const takeOwnership = (run: Run): Outcome | undefined => {
  const { details } = run
  if (details?.moves === undefined) return undefined
  const { fill, values } = details.moves
  details.moves = undefined
  // Packed arguments contain a copy.
  if (!Array.isArray(run.args)) {
    detach(values)
    forget(values)
    return undefined
  }
  try {
    const taken = take(values)
    forget(values)
    run.args = fill(taken)
    details.transfer = transferables(taken)
    return undefined
  } catch (error) {
    return failure(run, () => new NotCloneable({ side: "argument", path: "arguments", detail: explain(error) }))
  }
}

const take = (values: ReadonlyArray<object>): ReadonlyArray<object> => {
  try {
    return structuredClone(values, { transfer: transferables(values) })
  } catch {
    // Not every value can be transferred: the rest is copied.
    return structuredClone(values, { transfer: transferring(values) })
  }
}

/** The outcome of a run whose arguments could not be copied or sent. */
export const notCloneable = (run: Run, args: unknown, error: unknown, host: ThreadHost): Outcome => {
  const { detail, path, side } = error instanceof NotCloneableError
    ? { side: error.side, path: error.path, detail: error.message }
    : { side: "argument" as const, ...locate(args, error, host) }
  return failure(run, () => new NotCloneable({ side, path, detail }))
}

const locate = (args: unknown, error: unknown, host: ThreadHost): { readonly path: string; readonly detail: string } =>
  findUncloneable(args, "arguments", host.pack && ((value) => host.pack!([value]))) ??
    { path: "arguments", detail: describe(error) }
