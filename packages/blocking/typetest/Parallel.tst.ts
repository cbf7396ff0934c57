import { type Cause, type Effect, type Option, Result, Schema, Stream } from "effect"
import { Blocking, Callback, type JoinError, Parallel, Task } from "effect-blocking"
import { describe, expect, it } from "tstyche"

const url = import.meta.url

class Missing extends Schema.TaggedError<Missing>()("Missing", { id: Schema.Int }) {}
class Cpu extends Blocking.Pool<Cpu>()("app/Cpu") {}
class Lookup extends Callback.Service<Lookup>()("app/Lookup", Callback.fn<[id: number], string>()) {}

const square = Task.make(url, "square", (n: number) => n * n)
const find = Task.make(url, "find", (id: number): Result.Result<string, Missing> => Result.fail(new Missing({ id })))
const named = Task.make(url, "named", (id: number) => Lookup.call(id), { callbacks: [Lookup] })
const read = Task.make(url, "read", (o: { readonly path: string; readonly encoding?: string }) => o.path)
const isLong = Task.make(url, "isLong", (o: { readonly path: string }) => o.path.length > 9)
const add = Task.make(url, "add", (a: number, b: number) => a + b)
const count = Task.make(url, "count", (counts: Map<string, number>, word: string) => counts.set(word, 1))
const merge = Task.make(url, "merge", (a: Map<string, number>, _: Map<string, number>) => a)
const fill = Task.make(url, "fill", (_start: number, _end: number, _out: Float64Array, _factor: number) => {})
const sums = Task.make(url, "sums", (start: number, end: number) => start < end ? end - start : undefined)

describe("Parallel.map", () => {
  it("has the task's result, error, callbacks and pool", () => {
    expect(Parallel.map(square, [1])).type.toBe<
      Effect.Effect<Array<number>, JoinError.JoinError, Blocking.Blocking>
    >()
    expect(Parallel.map(find, new Set([1]))).type.toBe<
      Effect.Effect<Array<string>, Missing | JoinError.JoinError, Blocking.Blocking>
    >()
    expect(Parallel.map(named, [1])).type.toBe<
      Effect.Effect<Array<string>, JoinError.JoinError, Lookup | Blocking.Blocking>
    >()
    expect(Parallel.map(square, [1], { pool: Cpu })).type.toBe<
      Effect.Effect<Array<number>, JoinError.JoinError, Cpu>
    >()
    expect(Parallel.map(square, [1], { concurrency: 2, chunkSize: undefined })).type.toBe<
      Effect.Effect<Array<number>, JoinError.JoinError, Blocking.Blocking>
    >()
    expect(Parallel.map(square, Float64Array.of(1))).type.toBe<
      Effect.Effect<Array<number>, JoinError.JoinError, Blocking.Blocking>
    >()
  })

  it("takes tasks of a schema", () => {
    const decoded = Task.schema(url, "decoded", { payload: Schema.Date, success: Schema.Int }, (date) => date.getTime())
    expect(Parallel.map(decoded, [new Date()])).type.toBe<
      Effect.Effect<Array<number>, JoinError.JoinError, Blocking.Blocking>
    >()
  })

  it("names the item and the task that do not match", () => {
    // @ts-expect-error Type 'string' is not assignable to type 'number'
    Parallel.map(square, ["1"])
    // @ts-expect-error 'encodng' does not exist in type
    Parallel.map(read, [{ path: "x", encodng: "utf8" }])
    // @ts-expect-error Source has 1 element(s) but target requires 2
    Parallel.map(add, [1])
    // @ts-expect-error is not assignable to parameter of type 'Iterable<number>'
    Parallel.map(square, 1)
    // @ts-expect-error '(n: number) => number' is not assignable to parameter of type 'Task<
    Parallel.map((n: number) => n, [1])
    // @ts-expect-error 'concurency' does not exist in type 'Options<
    Parallel.map(square, [1], { concurency: 2 })
  })
})

describe("Parallel.forEach, filter, find", () => {
  it("keep the type of the items", () => {
    expect(Parallel.forEach(find, [1])).type.toBe<
      Effect.Effect<void, Missing | JoinError.JoinError, Blocking.Blocking>
    >()
    const files = [{ path: "a", size: 1 }]
    expect(Parallel.filter(isLong, files)).type.toBe<
      Effect.Effect<Array<{ path: string; size: number }>, JoinError.JoinError, Blocking.Blocking>
    >()
    expect(Parallel.find(isLong, files, { which: "any", pool: Cpu })).type.toBe<
      Effect.Effect<Option.Option<{ path: string; size: number }>, JoinError.JoinError, Cpu>
    >()
  })

  it("require a boolean", () => {
    // @ts-expect-error Type 'number' is not assignable to type 'boolean'
    Parallel.filter(square, [1])
    // @ts-expect-error Type 'number' is not assignable to type 'boolean'
    Parallel.find(square, [1])
    // @ts-expect-error 'size' does not exist in type '{ readonly path: string; }'
    Parallel.filter(isLong, [{ size: 1 }])
  })
})

describe("Parallel.reduce", () => {
  it("reduces to a value of another type", () => {
    expect(Parallel.reduce(count, ["a"], { initial: new Map(), combine: merge })).type.toBe<
      Effect.Effect<Map<string, number>, JoinError.JoinError, Blocking.Blocking>
    >()
    expect(Parallel.reduce(add, [1], { initial: 0, combine: add, pool: Cpu })).type.toBe<
      Effect.Effect<number, JoinError.JoinError, Cpu>
    >()
  })

  it("requires an initial value and a combine task", () => {
    // @ts-expect-error Property 'combine' is missing in type
    Parallel.reduce(add, [1], { initial: 0 })
    // @ts-expect-error Type 'string' is not assignable to type 'number'
    Parallel.reduce(add, [1], { initial: "0", combine: add })
    // @ts-expect-error Type 'string' is not assignable to type 'number'
    Parallel.reduce(add, ["1"], { initial: 0, combine: add })
  })
})

describe("Parallel.range", () => {
  it("returns the values of the ranges, or void", () => {
    expect(Parallel.range(fill, 10, new Float64Array(10), 2)).type.toBe<
      Effect.Effect<void, JoinError.JoinError, Blocking.Blocking>
    >()
    expect(Parallel.range(sums, 10)).type.toBe<Effect.Effect<Array<number>, JoinError.JoinError, Blocking.Blocking>>()
    expect(Parallel.rangeWith(sums, { pool: Cpu }, 10)).type.toBe<
      Effect.Effect<Array<number>, JoinError.JoinError, Cpu>
    >()
  })

  it("requires the shared arguments", () => {
    // @ts-expect-error Expected 4 arguments, but got 3
    Parallel.range(fill, 10, new Float64Array(10))
    // @ts-expect-error Argument of type 'string' is not assignable to parameter of type 'number'
    Parallel.range(fill, 10, new Float64Array(10), "2")
    // @ts-expect-error Argument of type 'string' is not assignable to parameter of type 'number'
    Parallel.range(sums, "10")
    // @ts-expect-error Source has 2 element(s) but target allows only 1
    Parallel.range(Task.make(url, "texts", (text: string) => text), 10)
  })
})

describe("Parallel.stream", () => {
  it("keeps the errors and requirements of both", () => {
    const source = null as unknown as Stream.Stream<number, "upstream", Cpu>
    expect(Parallel.stream(find, source)).type.toBe<
      Stream.Stream<string, Missing | "upstream" | JoinError.JoinError, Cpu | Blocking.Blocking>
    >()
    // @ts-expect-error Type 'string' is not assignable to type 'number'
    Parallel.stream(square, Stream.make("a"))
  })
})

describe("Parallel.failedIndex", () => {
  it("takes any cause", () => {
    expect(Parallel.failedIndex(null as unknown as Cause.Cause<Missing>)).type.toBe<Option.Option<number>>()
  })
})
