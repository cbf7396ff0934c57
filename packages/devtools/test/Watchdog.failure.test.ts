/** A watchdog whose own thread fails, or never returns. */
import { Watchdog } from "@effect-blocking/devtools"
import { assert, describe, it } from "@effect/vitest"
import { Effect, Exit, Layer, Logger, Queue, Scope } from "effect"

const sampler = (name: string) => new URL(`./fixtures/samplers/${name}.ts`, import.meta.url)

/** Opens a watchdog, whose warnings are taken from the queue. */
const open = Effect.fnUntraced(function*(module: URL) {
  const warnings = yield* Queue.unbounded<string>()
  const logger = Logger.make<unknown, void>(({ message }) => void Queue.offerUnsafe(warnings, String(message)))
  const scope = yield* Scope.make()
  yield* Layer.buildWithScope(
    Layer.provide(Watchdog.layer({ threshold: 50, capture: { module } }), Logger.layer([logger])),
    scope
  )
  return { warnings, close: Scope.close(scope, Exit.void) }
})

const block = (millis: number): void => {
  const end = performance.now() + millis
  while (performance.now() < end);
}

const failed = /^The watchdog of the event loop has failed, and no longer runs/

describe("the watchdog's thread", { concurrent: false }, () => {
  it.live("W1: if it cannot start, the program goes on, and the log says so", () =>
    Effect.gen(function*() {
      const { close, warnings } = yield* open(sampler("missing"))
      assert.match(yield* Queue.take(warnings), failed)
      yield* close
    }))

  it.live("W1: if it fails later, the log says so, closing does not wait for it, and another can follow", () =>
    Effect.gen(function*() {
      const first = yield* open(sampler("throws"))
      block(400)
      assert.match(yield* Queue.take(first.warnings), failed)
      const second = yield* open(sampler("throws"))
      yield* first.close
      const third = yield* open(sampler("throws"))
      assert.match(yield* Queue.take(third.warnings), /has a watchdog already/)
      block(400)
      assert.match(yield* Queue.take(second.warnings), failed)
      yield* second.close
      yield* third.close
    }))

  it.live("W1: if it never returns, closing ends it, and the next one is not disturbed by its end", () =>
    Effect.gen(function*() {
      const first = yield* open(sampler("stuck"))
      block(400)
      yield* first.close
      const second = yield* open(sampler("throws"))
      // The end of the first thread arrives in one of these turns.
      for (let i = 0; i < 20; i++) yield* Effect.sleep(10)
      const third = yield* open(sampler("throws"))
      assert.match(yield* Queue.take(third.warnings), /has a watchdog already/)
      yield* second.close
      yield* third.close
    }))
})
