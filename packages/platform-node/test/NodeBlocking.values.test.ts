/** Values that cross, and how they arrive, on threads and in processes. */
import { assert, describe, it, vi } from "@effect/vitest"
import { Effect, Redacted } from "effect"
import type { Blocking, JoinError } from "effect-blocking"
import { webcrypto } from "node:crypto"
import * as tasks from "./fixtures/tasks.ts"
import * as values from "./fixtures/values.ts"
import * as Gate from "./utils/gate.ts"
import { reasonOf, withPool } from "./utils/pool.ts"

// The types of Node do not declare its classes.
const wasm =
  (globalThis as unknown as { readonly WebAssembly: Record<string, new(message: string) => Error> }).WebAssembly

// Some start processes.
vi.setConfig({ testTimeout: 60_000 })

const thrownBy = (pool: Blocking.Pool, kind: string) =>
  Effect.map(reasonOf(pool.run(values.panic, kind)), (reason) => {
    assert.strictEqual(reason._tag, "Panicked")
    return (reason as JoinError.Panicked).thrown as Error & Record<string, unknown>
  })

const argumentsOf: (...args: ReadonlyArray<number>) => unknown = function() {
  return arguments
}

describe.each(["thread", "process"] as const)("isolation: %s", { concurrent: false }, (isolation) => {
  it.live("E1: errors of any realm, of the platform and with hidden fields arrive whole", () =>
    withPool({ isolation, maxThreads: 1 }, (pool) =>
      Effect.gen(function*() {
        const failure = Effect.map(Effect.flip(pool.run(values.fails, "realm")), (error) => error as unknown as Error)
        for (const error of [yield* thrownBy(pool, "realm"), yield* failure]) {
          assert.instanceOf(error, TypeError)
          assert.deepInclude<object>(error, { message: "x", code: "E1" })
          assert.deepInclude<object>(error.cause as object, { message: "y", k: 1 })
        }
        const abort = yield* thrownBy(pool, "abort")
        assert.instanceOf(abort, DOMException)
        assert.deepStrictEqual([abort.name, abort["code"]], ["AbortError", 20])
        assert.instanceOf(yield* thrownBy(pool, "wasm"), wasm["RuntimeError"]!)
        const hidden = yield* thrownBy(pool, "hidden")
        assert.instanceOf(hidden["suppressed"], RangeError)
        assert.deepStrictEqual(Object.keys(hidden), [])
        const nested = (yield* Effect.flip(pool.run(values.fails, "nested"))) as { readonly map: Map<string, Error> }
        assert.instanceOf(nested.map.get("k"), TypeError)
        assert.deepInclude<object>(nested.map.get("k")!, { message: "x", code: 7 })
      })))

  it.live("E1: a subclass of a class in `errors` arrives as an instance of that class", () =>
    withPool({ isolation, maxThreads: 1 }, (pool) =>
      Effect.gen(function*() {
        const error = yield* Effect.flip(pool.run(values.failsSub))
        assert(error instanceof values.Base)
        assert.deepStrictEqual([error._tag, error.base()], ["Sub", 1])
      })))

  it.live("E2: a chain of 20 000 causes arrives as a panic", () =>
    withPool({ isolation, maxThreads: 1 }, (pool) =>
      Effect.gen(function*() {
        let error = yield* thrownBy(pool, "chain")
        for (let i = 0; i < 20_000; i++) error = error.cause as typeof error
        assert.strictEqual(error.message, "root")
      })))

  const refused: ReadonlyArray<readonly [text: string, value: () => unknown]> = [
    ["a URL cannot be sent", () => new URL("http://localhost")],
    ["a Headers cannot be sent", () => new Headers({ a: "b" })],
    ["a Request cannot be sent", () => new Request("http://localhost")],
    ["a ReadableStream cannot be sent", () => new ReadableStream()],
    ["an AbortSignal cannot be sent", () => new AbortController().signal],
    ["a Redacted loses its value on the way", () => Redacted.make("s")],
    ["an Arguments cannot be sent", () => argumentsOf(1)]
  ]
  it.live("S4: an object of a class that cannot cross is refused by its path, whether or not a thread is idle", () =>
    withPool({ isolation, maxThreads: 1 }, (pool) =>
      Effect.gen(function*() {
        yield* pool.run(tasks.add, 1, 1)
        const check = (value: unknown, text: string) =>
          Effect.map(reasonOf(pool.run(values.takes, { rows: [1, { value }] })), (reason) => {
            assert.deepInclude(reason, { _tag: "NotCloneable", side: "argument", path: "arguments[0].rows[1].value" })
            assert.include((reason as JoinError.NotCloneable).detail, text)
          })
        for (const [text, make] of refused) yield* check(make(), text)
        if (isolation === "process") return
        const gate = Gate.make()
        const held = yield* pool.spawn(tasks.hold, gate, 0)
        yield* Gate.arrived(gate)
        for (const [text, make] of refused) yield* check(make(), text)
        Gate.open(gate)
        yield* held.join
      })))

  it.live("S4: a result that would arrive empty is refused by its path", () =>
    withPool({ isolation, maxThreads: 1 }, (pool) =>
      Effect.gen(function*() {
        for (const kind of ["secret", "url"]) {
          const success = yield* reasonOf(pool.run(values.returns, kind))
          assert.deepInclude(success, { _tag: "NotCloneable", side: "success", path: `result.rows[0].${kind}` })
          const failure = yield* reasonOf(pool.run(values.fails, kind))
          assert.deepInclude(failure, { _tag: "NotCloneable", side: "failure", path: `error.rows[0].${kind}` })
        }
      })))

  it.live("S4: a getter that throws is named by its path", () =>
    withPool({ isolation, maxThreads: 1 }, (pool) =>
      Effect.gen(function*() {
        yield* pool.run(tasks.add, 1, 1)
        const value = {
          get bad() {
            throw new Error("no")
          }
        }
        assert.deepInclude(yield* reasonOf(pool.run(values.takes, [value])), {
          _tag: "NotCloneable",
          path: "arguments[0][0].bad",
          detail: "its getter threw Error: no"
        })
      })))
})

describe("processes", () => {
  it.live("S4: a value that threads could clone, but processes cannot exchange, is refused by its path", () =>
    withPool({ isolation: "process", maxThreads: 1 }, (pool) =>
      Effect.gen(function*() {
        const key = yield* Effect.promise(() =>
          webcrypto.subtle.generateKey({ name: "HMAC", hash: "SHA-256" }, true, ["sign"])
        )
        for (const [name, value] of [["Blob", new Blob(["a"])], ["CryptoKey", key]] as const) {
          const reason = yield* reasonOf(pool.run(values.takes, new Map([["k", [value]]])))
          assert.deepInclude(reason, {
            _tag: "NotCloneable",
            path: "arguments[0].get(k)[0]",
            detail: `a ${name} cannot be sent to another process`
          })
        }
      })))

  it.live("S4: an object of a class of the program arrives as a plain one", () =>
    withPool({ isolation: "process", maxThreads: 1 }, (pool) =>
      Effect.gen(function*() {
        class Point {
          readonly x = 1
          readonly inner = new Map([["k", new Date(0)]])
        }
        assert.strictEqual(yield* pool.run(values.takes, [new Point()]), `[{"x":1,"inner":{}}]`)
      })))
})
