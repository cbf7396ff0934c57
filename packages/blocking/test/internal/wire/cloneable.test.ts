import { assert, describe, it } from "@effect/vitest"
import { Redacted } from "effect"
import { EventEmitter } from "node:events"
import { createServer } from "node:http"
import { Socket } from "node:net"
import { runInNewContext } from "node:vm"
import {
  compact,
  describe as describeValue,
  findUncloneable,
  refuseLost
} from "../../../src/internal/wire/cloneable.ts"

describe("cloneable", () => {
  it("S4: finds the first value that cannot cross, by its path", () => {
    const cases: ReadonlyArray<readonly [value: unknown, path: string]> = [
      [() => {}, "result"],
      [Symbol("s"), "result"],
      [[1, { on: { done: () => {} } }], "result[1].on.done"],
      [{ "odd key": Symbol("s") }, "result[\"odd key\"]"],
      [new Map<string, unknown>([["a", 1], ["b", new WeakMap()]]), "result.get(b)"],
      [new Set<unknown>([1, Promise.resolve(1)]), "result.values()[1]"]
    ]
    for (const [value, path] of cases) assert.strictEqual(findUncloneable(value, "result")?.path, path)
    assert.isUndefined(findUncloneable({ a: [1, "b", new Date(), new Map(), null, undefined, 1n] }, "result"))
  })

  const refused: ReadonlyArray<readonly [detail: string, value: unknown]> = [
    ["a Socket cannot be sent to another thread", new Socket()],
    ["a Server cannot be sent to another thread", createServer()],
    ["a URL cannot be sent to another thread: send url.href", new URL("http://localhost")],
    ["a Request cannot be sent to another thread", new Request("http://localhost")],
    ["a ReadableStream cannot be sent to another thread without Task.move", new ReadableStream()],
    ["a Proxy cannot be sent to another thread: send a copy of what is behind it", new Proxy({ a: 1 }, {})],
    ["a Proxy cannot be sent to another thread: send a copy of what is behind it", new Proxy([1], {})],
    ["a Generator cannot be sent to another thread", (function*() {})()],
    ["an EventEmitter cannot be sent to another thread", new EventEmitter().on("end", () => {})]
  ]
  it.each(refused)("S4: names the class of an object that cannot cross: %s", (detail, value) => {
    assert.deepStrictEqual(findUncloneable([{ value }], "arguments"), { path: "arguments[0].value", detail })
  })

  it("S4: an object that only looks like a class that cannot cross is searched", () => {
    const plain = { _events: [() => {}] }
    assert.strictEqual(findUncloneable(plain, "result")?.path, "result._events[0]")
  })

  it("S4: the path leads into errors and collections, and to a getter that throws", () => {
    const getter = {
      get bad() {
        throw new Error("no")
      }
    }
    const cases: ReadonlyArray<readonly [value: unknown, path: string, detail?: string]> = [
      [new Error("", { cause: [{ f: () => {} }] }), "result.cause[0].f"],
      [[1, { rows: [2, getter] }], "result[1].rows[1].bad", "its getter threw Error: no"],
      [Object.assign([1], { extra: () => {} }), "result.extra"],
      [new Map([[{ f: () => {} }, 1]]), "result.keys()[0].f"],
      [new Map([[1, new Set([1, [() => {}]])]]), "result.get(1).values()[1][0]"],
      [runInNewContext("[new Map([[1, { f() {} }]])]"), "result[0].get(1).f"]
    ]
    for (const [value, path, detail] of cases) {
      const found = findUncloneable(value, "result")
      assert.strictEqual(found?.path, path)
      if (detail !== undefined) assert.strictEqual(found?.detail, detail)
    }
  })

  it("S4: a Redacted is refused by its path, since its value would not arrive", () => {
    const secret = Redacted.make("s")
    const cases: ReadonlyArray<readonly [value: unknown, path: string]> = [
      [secret, "result"],
      [{ rows: [1, { secret }] }, "result.rows[1].secret"],
      [[new Map([["key", new Set([secret])]])], "result[0].get(key).values()[0]"]
    ]
    for (const [value, path] of cases) {
      try {
        refuseLost(value, "success", "result")
        assert.fail("It was let through")
      } catch (error) {
        assert.deepInclude<object>(error as object, { side: "success", path })
        assert.include((error as Error).message, "Redacted.value")
      }
    }
    const cyclic: Record<string, unknown> = {}
    cyclic["self"] = [cyclic]
    refuseLost(cyclic, "success", "result")
  })

  it("S4: only the beginning of the path into a too deep structure is shown", () => {
    let list: object = {}
    for (let i = 0; i < 50_000; i++) list = { o: list }
    assert.deepStrictEqual(findUncloneable([1, { list }], "arguments"), {
      path: "arguments[1].list.o.o.o …",
      detail: "it is nested too deeply to be sent to another thread"
    })
  })

  it("S4: ends on cycles", () => {
    const cyclic: Record<string, unknown> = { f: () => {} }
    cyclic["self"] = cyclic
    assert.strictEqual(findUncloneable({ cyclic }, "arguments")?.path, "arguments.cyclic.f")
  })

  it("describes any value without hiding it", () => {
    assert.deepStrictEqual(
      [{}, new Map(), Object.create(null), null, "text", new TypeError("no"), () => {}].map(describeValue),
      ["Object object", "Map object", "null-prototype object", "null", "text", "TypeError: no", "a function"]
    )
  })

  it("S4: a view of a part is copied, a whole one and a shared one are not", () => {
    const whole = new Float64Array(4)
    assert.strictEqual(compact(whole), whole)
    const shared = new Uint8Array(new SharedArrayBuffer(8), 0, 4)
    assert.strictEqual(compact(shared), shared)
    const part = compact(new Float64Array([1, 2, 3, 4]).subarray(1, 3)) as Float64Array
    assert.deepStrictEqual([Array.from(part), part.buffer.byteLength, part.constructor], [[2, 3], 16, Float64Array])
    const view = compact(new DataView(new ArrayBuffer(8), 4, 2)) as DataView
    assert.deepStrictEqual([view.byteLength, view.buffer.byteLength], [2, 2])
  })
})
