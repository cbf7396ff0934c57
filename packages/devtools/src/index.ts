/**
 * @since 0.1.0
 */
export * as Watchdog from "./Watchdog.ts"
