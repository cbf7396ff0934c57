import { assert, describe, it } from "@effect/vitest"
import { decode, encodeFailure, encodeThrown } from "../../../src/internal/wire/thrown.ts"

const cross = (value: unknown, classes: Parameters<typeof decode>[1] = []) =>
  decode(structuredClone(encodeThrown(value)), classes)

describe("thrown values", () => {
  it("E1: errors in fields, arrays and causes arrive as errors, cycles included", () => {
    const inner = Object.assign(new RangeError("inner"), { code: 1 })
    const error: Error & { all?: unknown } = new Error("outer", { cause: { wrapped: [inner] } })
    error.all = [error, inner]
    const arrived = cross(error) as Error & { all: [unknown, RangeError]; cause: { wrapped: [RangeError] } }
    assert.strictEqual(arrived.all[0], arrived)
    assert.strictEqual(arrived.all[1], arrived.cause.wrapped[0])
    assert.instanceOf(arrived.all[1], RangeError)
    assert.deepInclude<object>(arrived.all[1], { message: "inner", code: 1 })
    assert.strictEqual(arrived.stack, error.stack)
  })

  it("E1: message, stack and cause are as hidden as on any error, and the name of a class stays its own", () => {
    class Named extends Error {
      readonly _tag = "Named"
    }
    const arrived = cross(new Named("text", { cause: 1 }), [Named]) as Named
    assert.instanceOf(arrived, Named)
    assert.deepStrictEqual(Object.keys(arrived), ["_tag"])
    assert.strictEqual(arrived.name, "Error")
  })

  it("E2: a value that cannot cross is named in its place", () => {
    const arrived = cross({ f: function retry() {}, s: Symbol("tag") }) as { f: string; s: string }
    assert.include(arrived.f, "function \"retry\"")
    assert.include(arrived.s, "Symbol(tag)")
  })

  it("E2: an error that throws when it is read still arrives", () => {
    const hostile = Object.defineProperties(new Error("hostile"), {
      secret: {
        enumerable: true,
        get: () => {
          throw new Error("no")
        }
      },
      stack: { value: 7 }
    })
    const arrived = cross(hostile) as Error & { secret: string }
    assert.strictEqual(arrived.message, "hostile")
    assert.include(arrived.secret, "unreadable")
    assert.isUndefined(arrived.stack)
  })

  it("E2: a stack ends at the body's own frames, whatever a source map makes of the file that calls it", () => {
    const error = new Error("x")
    const own = "Error: x\n    at deeper (file:///app/tasks.ts:2:30)\n    at file:///app/tasks.ts:3:72"
    for (
      const caller of [
        "file:///a/dist/internal/threadEntry.js:1:2",
        "/a/src/internal/thread/loop.ts:3:4",
        "loop.ts:3:4"
      ]
    ) {
      error.stack = `${own}\n    at effectBlockingBody (${caller})\n    at entry.run (${caller})`
      assert.strictEqual((cross(error) as Error).stack, own)
    }
  })

  it("S4: a domain error that cannot cross says which field it is", () => {
    const found = encodeFailure(Object.assign(new Error("x"), { on: { retry: () => {} } }))
    assert.deepInclude(found, { path: "error.on.retry" })
    assert.deepStrictEqual(encodeFailure({ _tag: "A", n: 1 }), { value: { _tag: "A", n: 1 } })
  })
})
