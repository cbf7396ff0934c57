/**
 * @since 0.1.0
 */
export * as SqliteClient from "./SqliteClient.ts"

/**
 * @since 0.1.0
 */
export * as SqliteMigrator from "./SqliteMigrator.ts"

/**
 * @since 0.1.0
 */
export * as SqliteTask from "./SqliteTask.ts"
