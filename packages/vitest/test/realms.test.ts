/**
 * Nested errors. Some of Vitest's pools run a test file in a realm of its own, whose error classes differ
 * from those of a task. pools.test.ts runs this file in all of Vitest's pools.
 */
import { NodeBlocking } from "@effect-blocking/platform-node"
import { BlockingTest } from "@effect-blocking/vitest"
import { assert, describe, it } from "@effect/vitest"
import { Effect } from "effect"
import { Blocking } from "effect-blocking"
import * as tasks from "./fixtures/tasks.ts"

const program = Effect.gen(function*() {
  const failure = yield* Effect.flip(Blocking.run(tasks.failsWithErrors))
  assert(failure._tag === "Wrapped")
  assert.instanceOf(failure.inner, TypeError)
  assert.deepInclude(failure.inner, { message: "x", code: 7 })
  const listed = failure.list[0]!.error
  assert.instanceOf(listed, Error)
  assert.strictEqual(listed.message, "y")
  const { reason } = yield* Effect.flip(Blocking.run(tasks.panicsWithErrors))
  assert(reason._tag === "Panicked")
  const thrown = reason.thrown as Error & { readonly field: { readonly error: Error } }
  assert.instanceOf(thrown, Error)
  assert.instanceOf(thrown.cause, SyntaxError)
  assert.instanceOf(thrown.field.error, RangeError)
})

describe("realms", () => {
  it.live("E1: nested errors are instances of the test's realm: from a thread", () =>
    program.pipe(Effect.provide(NodeBlocking.layer({ maxThreads: 1 }))))

  it.live("E1: nested errors are instances of the test's realm: from a process", () =>
    program.pipe(Effect.provide(NodeBlocking.layer({ maxThreads: 1, isolation: "process" }))))

  it.effect("E1: nested errors are instances of the test's realm: from a simulated thread", () =>
    program.pipe(Effect.provide(BlockingTest.layer())))
})
