/**
 * @since 0.1.0
 */
export * as NodeBlocking from "./NodeBlocking.ts"
