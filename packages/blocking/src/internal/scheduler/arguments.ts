/** The arguments of a run: made ready to be sent, and copied where they have to wait. */
import { NotCloneable } from "../../JoinError.ts"
import {
  compact,
  describe,
  findUncloneable,
  isMutable,
  NotCloneableError,
  refuseLost,
  snapshot
} from "../wire/cloneable.ts"
import { takeMoved } from "../wire/moved.ts"
import { failure, type Outcome } from "./outcome.ts"
import type { Run } from "./run.ts"

/** Makes them ready to be sent; answers what the run comes to if they cannot be. The caller's array is left as it is. */
export const packArguments = (run: Run): Outcome | undefined => {
  const { codec } = run.task
  if (codec === undefined && !run.args.some(isMutable)) return undefined
  try {
    if (codec !== undefined) run.args = codec.encodeArguments(run.args)
    refuseLost(run.args, "argument", "arguments")
    const transfer = takeMoved(run.args)
    if (transfer !== undefined) run.detailed().transfer = transfer
    for (let i = 0; i < run.args.length; i++) {
      const value = run.args[i]
      const compacted = compact(value)
      if (compacted !== value) run.args = run.args.with(i, compacted)
    }
    return undefined
  } catch (error) {
    // A schema may also throw what is no answer of a codec, and any value can be hostile.
    const { detail, path, side } = error instanceof NotCloneableError
      ? { side: error.side, path: error.path, detail: error.message }
      : { side: "argument" as const, path: "arguments", detail: describe(error) }
    return failure(run, () => new NotCloneable({ side, path, detail }))
  }
}

/** Gives a run that has to wait arguments of its own; answers what it comes to if they cannot be copied. */
export const copyArguments = (run: Run): Outcome | undefined => {
  if (!run.args.some(isMutable)) return undefined
  try {
    const [args, transfer] = snapshot(run.args, run.transfer)
    run.args = args
    if (transfer !== undefined) run.detailed().transfer = transfer
    return undefined
  } catch (error) {
    return notCloneable(run, error)
  }
}

/** What a run comes to whose arguments could not be copied or sent. */
export const notCloneable = (run: Run, error: unknown): Outcome => {
  const found = error instanceof NotCloneableError
    ? { path: error.path, detail: error.message }
    : findUncloneable(run.args, "arguments") ?? { path: "arguments", detail: describe(error) }
  return failure(run, () => new NotCloneable({ side: "argument", ...found }))
}
