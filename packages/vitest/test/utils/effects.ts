/** Helpers for the tests of `BlockingTest`. */
import { assert } from "@effect/vitest"
import { Cause, Effect, Exit } from "effect"
import { Blocking, JoinError } from "effect-blocking"

export class Cpu extends Blocking.Pool<Cpu>()("app/Cpu") {}

/** The reason of a `JoinError`, which must have the given tag. */
export const reasonOf = <A, E, R, Tag extends JoinError.JoinErrorReason["_tag"]>(
  effect: Effect.Effect<A, E, R>,
  tag: Tag
): Effect.Effect<Extract<JoinError.JoinErrorReason, { readonly _tag: Tag }>, A, R> =>
  Effect.map(Effect.flip(effect), (error) => {
    if (!JoinError.isJoinError(error)) return assert.fail(`not a JoinError: ${String(error)}`)
    assert.strictEqual(error.reason._tag, tag)
    return error.reason as Extract<JoinError.JoinErrorReason, { readonly _tag: Tag }>
  })

export const fork = <A, E, R>(effect: Effect.Effect<A, E, R>) => Effect.forkChild(effect, { startImmediately: true })

/** The messages of the defects with which an effect dies. */
export const dies = <A, E, R>(effect: Effect.Effect<A, E, R>) =>
  Effect.map(Effect.exit(effect), (exit) => {
    if (Exit.isSuccess(exit)) return assert.fail("succeeded")
    return exit.cause.reasons.filter(Cause.isDieReason).map(({ defect }) => (defect as Error).message)
  })
