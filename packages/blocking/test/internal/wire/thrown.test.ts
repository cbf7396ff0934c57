import { assert, describe, it } from "@effect/vitest"
import { Cause, Data, Option, Redacted } from "effect"
import { deserialize, serialize } from "node:v8"
import { runInNewContext } from "node:vm"
import { decode } from "../../../src/internal/wire/restored.ts"
import { encodeFailure, encodeThrown } from "../../../src/internal/wire/thrown.ts"
import { descriptors } from "../../utils/descriptors.ts"

// The types of Node do not declare its classes.
const wasm =
  (globalThis as unknown as { readonly WebAssembly: Record<string, new(message: string) => Error> }).WebAssembly

type Classes = Parameters<typeof decode>[1]

const cross = (value: unknown, classes: Classes = []) => decode(structuredClone(encodeThrown(value)), classes)

const crossFailure = (value: unknown, classes: Classes = [], yieldable?: Error) => {
  const encoded = encodeFailure(value)
  assert("value" in encoded, JSON.stringify(encoded))
  return decode(structuredClone(encoded.value), classes, yieldable)
}

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

  it("E1: own properties keep their order and flags, under any name", () => {
    const error = new Error("text", { cause: 1 })
    Object.defineProperties(error, {
      hidden: { value: 1, enumerable: false, writable: true, configurable: true },
      constant: { value: 2, enumerable: true, writable: false, configurable: false },
      ["__proto__"]: { value: 3, enumerable: true, writable: true, configurable: true },
      10: { value: 4, enumerable: false, writable: false, configurable: true },
      constructor: { value: 5, enumerable: true, writable: true, configurable: true },
      computed: { get: () => 6, enumerable: true, configurable: false },
      errors: { value: [7], enumerable: true, writable: true, configurable: true },
      absent: { value: undefined, enumerable: true, writable: true, configurable: true }
    })
    const arrived = cross(error) as Error
    assert.deepStrictEqual(descriptors(arrived), descriptors(error))
    assert.instanceOf(arrived, Error)

    const late = new Error("late")
    for (const key of ["stack", "message"]) Reflect.deleteProperty(late, key)
    Object.assign(late, { first: 1, message: "second" })
    assert.deepStrictEqual(Object.entries(cross(late) as object), [["first", 1], ["message", "second"]])
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

  it("E1: a value from a class arrives with the class, and as a field without it", () => {
    class Lost extends Error {
      readonly at: number
      constructor(at: number) {
        super()
        this.at = at
      }
      override get message() {
        return `lost at ${this.at}`
      }
      override get cause() {
        return this.at
      }
    }
    for (const classes of [[], [Lost]]) {
      const arrived = cross(new Lost(7), classes) as Lost
      assert.deepInclude(arrived, { at: 7, message: "lost at 7", cause: 7 })
      assert.strictEqual(arrived instanceof Lost, classes.length > 0)
      assert.strictEqual(Object.hasOwn(arrived, "cause"), classes.length === 0)
      assert.deepStrictEqual(Object.keys(arrived), ["at"])
    }
    class Secret extends Error {
      readonly #text = "private"
      override get message() {
        return this.#text
      }
    }
    assert.strictEqual((cross(new Secret(), [Secret]) as Secret).message, "private")
  })

  it("E1: an error gets the nearest named class, and no other class of the same name", () => {
    class Base extends Error {}
    class Sub extends Base {}
    class Leaf extends Sub {}
    assert.strictEqual(Object.getPrototypeOf(cross(new Leaf("x"), [Base])), Base.prototype)
    assert.strictEqual(Object.getPrototypeOf(cross(new Leaf("x"), [Base, Sub])), Sub.prototype)
    assert.strictEqual(Object.getPrototypeOf(cross(new Leaf("x"), [Error])), Error.prototype)
    const Other = (() => {
      class Leaf extends RangeError {}
      return Leaf
    })()
    assert.strictEqual(Object.getPrototypeOf(cross(new Leaf("x"), [Other, Leaf])), Leaf.prototype)
    assert.strictEqual(Object.getPrototypeOf(cross(new Leaf("x"), [Other])), Error.prototype)
    // Effect's tagged errors have a class called Base in their chain.
    assert.isFalse(cross(new (class Tagged extends Data.TaggedError("Tagged") {})(), [Base]) instanceof Base)
    assert.instanceOf(cross(new (class extends TypeError {})("anonymous")), TypeError)
    assert.instanceOf(cross(new (class SyntaxError extends Error {})("named alike")), Error)
    assert.isFalse(cross(new (class SyntaxError extends Error {})("named alike")) instanceof SyntaxError)
  })

  it("E1: an Effect stays an Effect, whatever its class", () => {
    class Tagged extends Data.TaggedError("Tagged")<{ readonly n: number }> {}
    const arrived = crossFailure(new Tagged({ n: 1 }), [], Data.Error.prototype) as Tagged
    assert.strictEqual(Object.getPrototypeOf(arrived), Data.Error.prototype)
    assert.deepInclude(arrived, { _tag: "Tagged", name: "Tagged", n: 1 })
  })

  const platform: ReadonlyArray<readonly [name: string, error: Error]> = [
    ["DOMException", new DOMException("no", "AbortError")],
    ["DOMException of a signal", AbortSignal.abort().reason],
    ["AggregateError", new AggregateError([new RangeError("one")], "all")],
    ["CompileError", new wasm["CompileError"]!("bad")],
    ["LinkError", new wasm["LinkError"]!("bad")],
    ["RuntimeError", new wasm["RuntimeError"]!("bad")],
    [
      "an error of Node",
      (() => {
        try {
          Buffer.alloc("1" as never)
        } catch (error) {
          return error as Error
        }
        return new Error()
      })()
    ]
  ]
  it.each(platform)("E1: of the platform: %s", (_, error) => {
    for (const arrived of [cross(error), (cross({ list: [error] }) as { list: [Error] }).list[0]] as Array<Error>) {
      // Node has a separate class of errors for each code.
      const constructor = error.constructor.name === "NodeError" ? TypeError : error.constructor
      assert.strictEqual(arrived.constructor, constructor)
      for (const key of ["name", "message", "code", "stack"]) {
        assert.strictEqual(Reflect.get(arrived, key), Reflect.get(error, key), key)
      }
      assert.deepStrictEqual(Object.keys(arrived), Object.keys(error))
    }
  })

  it("E1: a DOMException keeps its cause and its fields, and so does a subclass", () => {
    const error = Object.assign(new DOMException("m", "DataCloneError"), { cause: new TypeError("c"), extra: 1 })
    const arrived = cross(error) as DOMException & { readonly cause: unknown; readonly extra: number }
    assert.instanceOf(arrived, DOMException)
    assert.deepStrictEqual([arrived.code, arrived.extra], [25, 1])
    assert.instanceOf(arrived.cause, TypeError)
    class Sub extends DOMException {}
    for (const classes of [[], [Sub]]) {
      const sub = cross(new Sub("m", "AbortError"), classes) as DOMException
      assert.deepStrictEqual([sub.name, sub.code, sub.message], ["AbortError", 20, "m"])
      assert.strictEqual(sub instanceof Sub, classes.length > 0)
    }
  })

  it("E1: errors and collections of another realm arrive as those of this one", () => {
    const error = runInNewContext(`
      const error = Object.assign(new TypeError("x"), { code: 1, list: [new RangeError("r")] })
      error.cause = { map: new Map([["k", new Set([new SyntaxError("s")])]]), nothing: Object.create(null) }
      error
    `) as Error
    const arrived = cross(error) as Error & {
      readonly list: [Error]
      readonly cause: { readonly map: Map<string, Set<Error>> }
    }
    assert.instanceOf(arrived, TypeError)
    assert.deepInclude<object>(arrived, { message: "x", code: 1, stack: error.stack })
    assert.instanceOf(arrived.list, Array)
    assert.instanceOf(arrived.list[0], RangeError)
    const [inner] = arrived.cause.map.get("k")!
    assert.instanceOf(inner, SyntaxError)
    assert.strictEqual(Object.getPrototypeOf(arrived.cause), Object.prototype)
    const own = cross(runInNewContext(`class Own extends Error {}; new Own("o")`)) as Error
    assert.instanceOf(own, Error)
    assert.strictEqual(own.message, "o")
  })

  it("E1: errors within collections and classes of a program arrive as errors", () => {
    class Attempt {
      readonly error = Object.assign(new TypeError("x"), { code: 1 })
      readonly next: Attempt | undefined
      constructor(next?: Attempt) {
        this.next = next
      }
    }
    const shared = new RangeError("key")
    const value = {
      map: new Map<unknown, unknown>([[shared, new Set([shared])]]),
      option: Option.some(shared),
      attempt: new Attempt(new Attempt())
    }
    const arrived = crossFailure(value) as {
      readonly map: Map<RangeError, Set<RangeError>>
      readonly option: { readonly value: RangeError }
      readonly attempt: Attempt
    }
    const [[key, members]] = [...arrived.map] as [[RangeError, Set<RangeError>]]
    assert.instanceOf(key, RangeError)
    assert.isTrue(members.has(key))
    assert.strictEqual(arrived.option.value, key)
    assert.deepInclude<object>(arrived.attempt.next!.error, { message: "x", code: 1 })
    assert.instanceOf(arrived.attempt.next!.error, TypeError)
  })

  it("E1: arrays keep holes, other keys and length, and cost only their elements", () => {
    const error = new Error("in")
    // eslint-disable-next-line no-sparse-arrays
    const list = Object.assign([1, , error], { extra: error })
    const huge: Array<unknown> = []
    huge[2 ** 32 - 2] = error
    const arrived = cross({ list, huge, end: [1, ,], both: Object.assign([1, ,], { x: 1 }) }) as { // eslint-disable-line no-sparse-arrays
      readonly list: Array<unknown> & { readonly extra: Error }
      readonly huge: Array<unknown>
      readonly end: Array<unknown>
      readonly both: Array<unknown>
    }
    assert.deepStrictEqual([arrived.list.length, Object.keys(arrived.list)], [3, ["0", "2", "extra"]])
    assert.strictEqual(arrived.list.extra, arrived.list[2])
    assert.deepStrictEqual([arrived.huge.length, Object.keys(arrived.huge)], [2 ** 32 - 1, ["4294967294"]])
    assert.strictEqual(arrived.huge[2 ** 32 - 2], arrived.list[2])
    assert.deepStrictEqual([arrived.end.length, 1 in arrived.end], [2, false])
    assert.deepStrictEqual([arrived.both.length, Object.keys(arrived.both)], [2, ["0", "x"]])
  })

  it("E2: a chain of any depth arrives", () => {
    let error = new Error("root")
    let list: object = { error }
    for (let i = 0; i < 20_000; i++) {
      error = new Error("", { cause: error })
      list = { list }
    }
    let arrived = cross(Object.assign(error, { list })) as Error & { readonly list: { readonly list?: object } }
    let at: unknown = arrived.list
    while ((at as { list?: object }).list !== undefined) at = (at as { list: object }).list
    for (let i = 0; i < 20_000; i++) arrived = arrived.cause as typeof arrived
    assert.strictEqual(arrived.message, "root")
    assert.strictEqual((at as { error: Error }).error, arrived)
    assert.strictEqual((deserialize(serialize(encodeThrown(error))) as Array<unknown>).length > 40_000, true)
  })

  it("E2: a value that cannot cross is named in its place", () => {
    const port = new MessageChannel().port1
    const arrived = cross({
      f: function retry() {},
      s: Symbol("tag"),
      url: new URL("http://localhost"),
      secret: Redacted.make("s"),
      map: new Map([["k", () => {}]]),
      port,
      typed: new Uint8Array(new Uint8Array(4).buffer.transfer(0), 0)
    }) as Record<string, string> & { readonly map: Map<string, string> }
    port.close()
    assert.include(arrived["f"], "function \"retry\"")
    assert.include(arrived["s"], "Symbol(tag)")
    assert.include(arrived["url"], "a URL cannot be sent")
    assert.include(arrived["secret"], "a Redacted loses its value")
    assert.include(arrived["port"], "MessagePort")
    assert.include(arrived.map.get("k"), "cannot be sent")
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
    assert.strictEqual(arrived.secret, "[unreadable: Error: no]")
    assert.isUndefined(arrived.stack)
    assert.include(Cause.pretty(Cause.fail(arrived)), "hostile")
  })

  it("E2: a stack ends at the body's own frames, even if a source map renames the file that calls it", () => {
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

  const throws = (): never => {
    throw new Error("trap")
  }
  const revoked = (target: object): object => {
    const { proxy, revoke } = Proxy.revocable(target, {})
    revoke()
    return proxy
  }
  const endless: object = new Proxy(new Error("endless"), {
    get: (_, key) => key === "cause" ? Object.create(endless) : 1
  })
  const hostile: ReadonlyArray<readonly [name: string, value: () => unknown]> = [
    ["a revoked proxy", () => revoked({})],
    ["a revoked proxy in a field", () => Object.assign(new Error("x"), { field: revoked([]) })],
    ["a revoked prototype", () => Object.setPrototypeOf(new Error("x"), revoked(Error.prototype))],
    ["traps that throw", () =>
      new Proxy(new Error("x"), {
        get: throws,
        getPrototypeOf: throws,
        getOwnPropertyDescriptor: throws,
        ownKeys: throws
      })],
    ["keys that are not there", () => new Proxy(new Error("x"), { ownKeys: () => ["stack", "no"] })],
    ["a constructor that throws", () => Object.defineProperty(new Error("x"), "constructor", { get: throws })],
    ["a class whose name throws", () =>
      new (class extends Error {
        static override get name() {
          return throws()
        }
      })("x")],
    ["a name that is a symbol", () => Object.assign(new Error("x"), { name: Symbol("s"), message: {} })],
    ["a cause without an end", () => endless],
    ["an iterator that throws", () => Object.assign(new Map([[1, 2]]), { [Symbol.iterator]: throws, forEach: throws })]
  ]
  it.each(hostile)("E2: a panic stays a panic: %s", (_, make) => {
    const arrived = cross(make())
    assert.isDefined(arrived)
    assert.notInclude(String((arrived as Error).message), "could not be restored")
  })

  it("S4: a domain error that cannot cross names the part", () => {
    const paths: ReadonlyArray<readonly [value: unknown, path: string]> = [
      [Object.assign(new Error("x"), { on: { retry: () => {} } }), "error.on.retry"],
      [
        new Error("x", { cause: [new Error("y", { cause: { "odd key": Symbol() } })] }),
        "error.cause[0].cause[\"odd key\"]"
      ],
      [new AggregateError([1, new Map([[new Set([() => {}]), 1]])], "x"), "error.errors[1].keys()[0].values()[0]"],
      [{ secret: Redacted.make("s") }, "error.secret"],
      [{ url: [new URL("http://localhost")] }, "error.url[0]"]
    ]
    for (const [value, path] of paths) assert.deepInclude(encodeFailure(value), { path })
    assert.deepStrictEqual(crossFailure({ _tag: "A", n: 1 }), { _tag: "A", n: 1 })
    assert.deepStrictEqual(encodeFailure("text"), { value: "text" })
  })
})
