/**
 * @since 0.1.0
 */
export * as ClusterPool from "./ClusterPool.ts"

/**
 * @since 0.1.0
 */
export * as ClusterPoolError from "./ClusterPoolError.ts"

/**
 * @since 0.1.0
 */
export * as ClusterStorage from "./ClusterStorage.ts"
