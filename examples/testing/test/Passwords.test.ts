/** One service, tested in three ways. */
import { NodeBlocking } from "@effect-blocking/platform-node"
import { BlockingTest } from "@effect-blocking/vitest"
import { assert, describe, it, layer } from "@effect/vitest"
import { Effect, Fiber, Layer } from "effect"
import { JoinError } from "effect-blocking"
import { TestClock } from "effect/testing"
import { hash } from "../src/hash.ts"
import { Passwords, TooBusy } from "../src/Passwords.ts"

/** The digest of "correct horse" with "salt". */
const digest = "07a5fc62617df14f07bab22816eb0cf94a36ca87aa38ca9016fd696479033f79" +
  "1cff8d038bc7762cb7dbf7368bb2f0d8f35c53ac9491ef24cb68d0b4d7bdddc7"

// -----------------------------------------------------------------------------
// 1. Without threads: the body runs in the test, which controls the time
// -----------------------------------------------------------------------------

describe("with BlockingTest", () => {
  const TestLayer = Passwords.layer.pipe(
    Layer.provideMerge(BlockingTest.layer({ maxThreads: 1, queueCapacity: 0, onFull: "fail" }))
  )

  it.effect("a right password is verified, by one call of the task", () =>
    Effect.gen(function*() {
      const passwords = yield* Passwords
      assert.isTrue(yield* passwords.verify("correct horse", "salt", digest))
      const calls = yield* BlockingTest.callsOf(hash)
      assert.deepStrictEqual(calls.map(({ args }) => args), [["correct horse", "salt"]])
    }).pipe(Effect.provide(TestLayer)))

  it.effect("a hash that takes too long is TooBusy, and the test does not wait five seconds", () =>
    Effect.gen(function*() {
      const passwords = yield* Passwords
      const held = yield* BlockingTest.hold(hash)
      const fiber = yield* Effect.forkChild(Effect.flip(passwords.verify("a", "b", "c")))
      yield* held.started
      // Past the time limit and the grace period.
      yield* TestClock.adjust("6 seconds")
      assert.instanceOf(yield* Fiber.join(fiber), TooBusy)
    }).pipe(Effect.provide(TestLayer)))

  it.effect("a full queue is TooBusy at once", () =>
    Effect.gen(function*() {
      const passwords = yield* Passwords
      yield* BlockingTest.fillQueue()
      assert.instanceOf(yield* Effect.flip(passwords.verify("a", "b", "c")), TooBusy)
      yield* BlockingTest.drainQueue()
      assert.isFalse(yield* passwords.verify("a", "b", "c"))
    }).pipe(Effect.provide(TestLayer)))

  it.effect("a thread that dies is a defect of the service, not a wrong password", () =>
    Effect.gen(function*() {
      const passwords = yield* Passwords
      yield* BlockingTest.failNext(hash, new JoinError.WorkerExited({ exitCode: 1 }))
      const exit = yield* Effect.exit(passwords.verify("a", "b", "c"))
      assert.match(String(exit), /Die\(JoinError: Task "hash" .* lost its thread/)
    }).pipe(Effect.provide(TestLayer)))
})

// -----------------------------------------------------------------------------
// 2. With a stubbed body: nothing is hashed
// -----------------------------------------------------------------------------

describe("with a stubbed body", () => {
  it.effect("compares the task's result with the digest", () =>
    Effect.gen(function*() {
      yield* BlockingTest.stub(hash, (password, salt) => `${password}:${salt}`)
      const passwords = yield* Passwords
      assert.isTrue(yield* passwords.verify("a", "b", "a:b"))
      assert.isFalse(yield* passwords.verify("x", "b", "a:b"))
    }).pipe(Effect.provide(Passwords.layer.pipe(Layer.provideMerge(BlockingTest.layer())))))
})

// -----------------------------------------------------------------------------
// 3. On real threads, with one pool for all tests of the block
// -----------------------------------------------------------------------------

layer(Passwords.layer.pipe(Layer.provide(NodeBlocking.layer({ maxThreads: 2 }))))("on threads", (it) => {
  it.effect("a right password is verified, a wrong one is not", () =>
    Effect.gen(function*() {
      const passwords = yield* Passwords
      assert.isTrue(yield* passwords.verify("correct horse", "salt", digest))
      assert.isFalse(yield* passwords.verify("battery staple", "salt", digest))
    }))
})
