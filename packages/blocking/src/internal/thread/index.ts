/**
 * The module that `import … from "effect-blocking"` loads in a pool thread, by the condition
 * `effect-blocking-thread` in the package's exports.
 *
 * A task module needs only `Task` and `Callback`, and must not pay for `effect`, which the
 * other modules import. A module that also contains the program imports those, too: they
 * are exported here, and loaded on first use.
 */
import { lazyNamespace } from "./lazyNamespace.ts"

export * as Callback from "../../Callback.ts"
export * as Task from "../../Task.ts"

export const Blocking = lazyNamespace("../../Blocking.ts")
export const JoinError = lazyNamespace("../../JoinError.ts")
export const JoinHandle = lazyNamespace("../../JoinHandle.ts")
export const JoinSet = lazyNamespace("../../JoinSet.ts")
export const Parallel = lazyNamespace("../../Parallel.ts")
