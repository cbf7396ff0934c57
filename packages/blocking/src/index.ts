/**
 * @since 0.1.0
 */
export * as Blocking from "./Blocking.ts"

/**
 * @since 0.1.0
 */
export * as Callback from "./Callback.ts"

/**
 * @since 0.1.0
 */
export * as JoinError from "./JoinError.ts"

/**
 * @since 0.1.0
 */
export * as JoinHandle from "./JoinHandle.ts"

/**
 * @since 0.1.0
 */
export * as JoinSet from "./JoinSet.ts"

/**
 * @since 0.1.0
 */
export * as Parallel from "./Parallel.ts"

/**
 * @since 0.1.0
 */
export * as Task from "./Task.ts"
