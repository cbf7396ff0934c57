/**
 * The arguments of a run. They belong to it from the call on: what its caller could still
 * change is copied at once. What is to be moved stays with the caller until the run is
 * accepted, so that a refusal leaves it whole.
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

/** What of a run's arguments is to be moved, and still its caller's. */
export interface Moves {
  readonly values: ReadonlyArray<object>
  /** The run's arguments with these in the places of the values. */
  readonly fill: (values: ReadonlyArray<unknown>) => Array<unknown>
  readonly pathOf: (value: object) => string
}

/** Copies that take longer are a measure of how long the thread takes to read them. Arbitrary. */
const longCopyMillis = 0.5

/** Makes the arguments the run's own; answers what the run comes to if they cannot cross. The caller's array is left as it is. */
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

/** How long a thread takes to read a payload, for each of its bytes. Measured, of tiny objects. */
const readMillis = 1e-5

const keepPayload = (run: Run, address: PayloadAddress, payloads: Payloads): void => {
  run.args = address
  if (payloads.parts.length > 0) run.detailed().transfer = payloads.parts
  const millis = readMillis * payloads.lengthOf(address)
  if (millis > longCopyMillis) run.detailed().copyMillis = millis
}

/** The run needs its arguments no longer: its thread has read them, or none ever will. */
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
  // The usual case: what is moved are arguments themselves.
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

/** If there are values that are moved from within others. */
const ownMovedFromWithin = (run: Run, args: Array<unknown>, host: ThreadHost): boolean => {
  const values = Array.from(findStandIns(args))
  if (values.length > 0) ownAround(run, args, values, host)
  return values.length > 0
}

/** For values that are moved from within others: the copy has slots, which are found again and filled. */
const ownAround = (run: Run, args: Array<unknown>, values: ReadonlyArray<object>, host: ThreadHost): void => {
  if (host.pack !== undefined) {
    // No memory is shared: what is moved is copied with the rest, and its owner left without it.
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

/** Of a value that is moved from within others, or packed. */
const pathOf = (): string => "arguments"

const keepMoves = (run: Run, args: Run["args"], moves: Moves): void => {
  const gone = moves.values.find(isDetached)
  if (gone !== undefined) throw new NotCloneableError("argument", moves.pathOf(gone), movedBefore)
  run.args = args
  run.detailed().moves = moves
}

const movedBefore = "It was moved before, and is empty: make it anew for each run, in Effect.suspend"

const isFreeOfStandIns = (args: Array<unknown>): boolean => !args.some(isMutable) || findStandIns(args).size === 0

/** A copy that later changes do not reach; throws what the clone throws. */
const copy = (args: Array<unknown>, host: ThreadHost): Run["args"] => {
  if (!args.some(isMutable)) return args
  const compacted = args.map(compact)
  if (host.pack !== undefined) return host.pack(compacted)
  // Compacting has copied already what it has changed.
  return compacted.every((value, i) => value !== args[i] || !isMutable(value)) ? compacted : structuredClone(compacted)
}

/** For a message that goes at once: it takes what is to be moved from its owner. */
export const lendMoves = (run: Run): void => {
  const details = run.details!
  const { fill, values } = details.moves!
  run.args = fill(values)
  details.transfer = transferables(values)
}

/**
 * Takes what is to be moved from its owner. Answers what the run comes to if that cannot be
 * had: it is there no longer, or can be neither moved nor copied.
 */
export const takeOver = (run: Run): Outcome | undefined => {
  const { details } = run
  if (details?.moves === undefined) return undefined
  const { fill, values } = details.moves
  details.moves = undefined
  // Packed arguments have a copy of it.
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
    // Not all of it can be transferred: the rest is copied.
    return structuredClone(values, { transfer: transferring(values) })
  }
}

/** What a run comes to whose arguments could not be copied or sent. */
export const notCloneable = (run: Run, args: unknown, error: unknown, host: ThreadHost): Outcome => {
  const { detail, path, side } = error instanceof NotCloneableError
    ? { side: error.side, path: error.path, detail: error.message }
    : { side: "argument" as const, ...locate(args, error, host) }
  return failure(run, () => new NotCloneable({ side, path, detail }))
}

const locate = (args: unknown, error: unknown, host: ThreadHost): { readonly path: string; readonly detail: string } =>
  findUncloneable(args, "arguments", host.pack && ((value) => host.pack!([value]))) ??
    { path: "arguments", detail: describe(error) }
