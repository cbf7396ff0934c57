/**
 * @since 0.1.0
 */
export * as LiveView from "./LiveView.ts"

/**
 * @since 0.1.0
 */
export * as Watchdog from "./Watchdog.ts"
