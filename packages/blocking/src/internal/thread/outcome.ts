/** The outcome of a body, as it is posted: a status of the protocol, and its value. */
import { explain, findUncloneable, NotCloneableError } from "../wire/cloneable.ts"
import { type ItemEnd, placeInLoop } from "../wire/loops.ts"
import * as protocol from "../wire/protocol.ts"
import { encodeFailure, encodeThrown } from "../wire/thrown.ts"
import { threadContext } from "./context.ts"

export type Outcome = [status: number, value: unknown]

const ResultTypeId = "~effect/Result"
const EffectTypeId = "~effect/Effect"

interface ResultLike {
  readonly _tag: "Success" | "Failure"
  readonly success: unknown
  readonly failure: unknown
}

/** The outcome of a body that returned `value`. */
export const whatReturned = (value: unknown): Outcome => {
  if (typeof value !== "object" || value === null) return [protocol.Succeeded, value]
  if (ResultTypeId in value) {
    const result = value as unknown as ResultLike
    if (result._tag === "Success") return [protocol.Succeeded, result.success]
    const encoded = encodeFailure(result.failure, threadContext.clone)
    if ("value" in encoded) return [protocol.Failed, encoded.value]
    return [protocol.NotCloneable, { side: "failure", ...encoded } satisfies protocol.NotCloneableValue]
  }
  if (EffectTypeId in value && !(value instanceof Error)) {
    // The clone that would arrive is no Effect.
    const uncloneable: protocol.NotCloneableValue = { side: "success", path: "result", detail: effectReturned }
    return [protocol.NotCloneable, uncloneable]
  }
  return [protocol.Succeeded, value]
}

const effectReturned =
  "an Effect cannot be sent to another thread: run it in the body with Effect.runSync and return the result"

/** Thrown by a loop when an item has ended it. */
export class ItemEnded {
  readonly index: number
  /** The value that the body returned or threw. */
  readonly end: { readonly returned: unknown } | { readonly thrown: unknown }
  /** The values of the items before it, if wanted. */
  readonly before: ReadonlyArray<unknown> | undefined

  constructor(index: number, end: ItemEnded["end"], before: ReadonlyArray<unknown> | undefined) {
    this.index = index
    this.end = end
    this.before = before
  }

  outcome(stopRequested: boolean): Outcome {
    const { before, end, index } = this
    const [status, value] = outcomeOf(end, stopRequested)
    if (status === protocol.NotCloneable) {
      const uncloneable = value as protocol.NotCloneableValue
      const path = uncloneable.path.replace(/^result/, `results[${index}]`).replace(
        /^arguments\[0\]/,
        `items[${index}]`
      )
      return [status, { ...uncloneable, path, item: index } satisfies protocol.NotCloneableValue]
    }
    return status === protocol.Stopped ? [status, value] : [status, [index, value, before] satisfies ItemEnd]
  }
}

const outcomeOf = (end: ItemEnded["end"], stopRequested: boolean): Outcome => {
  if ("thrown" in end) return whatThrew(end.thrown, stopRequested)
  try {
    return whatReturned(end.returned)
  } catch (thrown) {
    return whatThrew(thrown, stopRequested)
  }
}

/** The outcome of a body that threw `thrown`; `stopRequested`: it had been asked to stop. */
export const whatThrew = (thrown: unknown, stopRequested: boolean): Outcome => {
  if (isItemEnded(thrown)) return thrown.outcome(stopRequested)
  if (isNotCloneable(thrown)) {
    return [protocol.NotCloneable, { side: thrown.side, path: thrown.path, detail: thrown.message }]
  }
  if (isStopRequest(thrown) && stopRequested) return [protocol.Stopped, undefined]
  return [protocol.Panicked, encodeThrown(thrown, threadContext.clone)]
}

/** Replaces an outcome that could not be posted. A panic remains a panic. */
export const instead = (status: number, value: unknown, error: unknown): Outcome => {
  if (status === protocol.Panicked) {
    return [status, encodeThrown(new Error(`The body threw a value that cannot be sent: ${explain(error)}`))]
  }
  const side = status === protocol.Failed ? "failure" : "success"
  const path = status === protocol.Failed ? "error" : "result"
  const found = status === protocol.Failed ? undefined : findUncloneable(value, path, threadContext.clone)
  const uncloneable: protocol.NotCloneableValue = { side, ...(found ?? { path, detail: explain(error) }) }
  return [protocol.NotCloneable, { ...uncloneable, ...placeInLoop(value, uncloneable.path) }]
}

/** Adds to an error about an uncloneable value in a loop the item that it belongs to. */
export const located = (thrown: unknown, value: unknown): unknown => {
  if (!isNotCloneable(thrown)) return thrown
  const place = placeInLoop(value, thrown.path)
  return place === undefined
    ? thrown
    : new ItemEnded(place.item, { thrown: new NotCloneableError(thrown.side, place.path, thrown.message) }, undefined)
}

const isNotCloneable = (thrown: unknown): thrown is NotCloneableError => {
  try {
    return thrown instanceof NotCloneableError
  } catch {
    // A revoked proxy was thrown.
    return false
  }
}

const isItemEnded = (thrown: unknown): thrown is ItemEnded => {
  try {
    return thrown instanceof ItemEnded
  } catch {
    return false
  }
}

const isStopRequest = (thrown: unknown): boolean => {
  try {
    return thrown instanceof Error && "_tag" in thrown && thrown._tag === "StopRequested"
  } catch {
    return false
  }
}
