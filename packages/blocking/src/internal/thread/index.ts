/**
 * What `import … from "effect-blocking"` means in a pool thread, by the condition
 * `effect-blocking-thread` in the package's exports.
 *
 * A task module needs only `Task` and `Callback` of it, and must not pay for `effect`, which the
 * other modules import. A module that also holds the program names them too, so they
 * are there, and loaded on first use.
 */
import { lazyNamespace } from "./lazyNamespace.ts"

export * as Callback from "../../Callback.ts"
export * as Task from "../../Task.ts"

export const Blocking = lazyNamespace("../../Blocking.ts")
export const JoinError = lazyNamespace("../../JoinError.ts")
export const JoinHandle = lazyNamespace("../../JoinHandle.ts")
export const JoinSet = lazyNamespace("../../JoinSet.ts")
export const Parallel = lazyNamespace("../../Parallel.ts")
