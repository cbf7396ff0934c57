/**
 * @since 0.1.0
 */
export * as BlockingTest from "./BlockingTest.ts"
