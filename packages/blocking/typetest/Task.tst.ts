import {
  type Brand,
  type Chunk,
  Data,
  type DateTime,
  type Duration,
  Effect,
  Exit,
  type HashMap,
  Option,
  Redacted,
  Result,
  Schema,
  Stream
} from "effect"
import { Blocking, Callback, type JoinError, JoinSet, Task } from "effect-blocking"
import type { BinaryLike } from "node:crypto"
import type { MessagePort } from "node:worker_threads"
import { gzipSync, type InputType } from "node:zlib"
import { describe, expect, it } from "tstyche"

const url = import.meta.url

class Missing extends Schema.TaggedError<Missing>()("Missing", { id: Schema.Int }) {}
declare const effect: Effect.Effect<number>
declare const iterable: AsyncIterable<number>

describe("Task.make", () => {
  it("infers arguments and result from the body", () => {
    const add = Task.make(url, "add", (a: number, b: number) => a + b)
    expect(add).type.toBe<Task.Task<[a: number, b: number], number, never>>()
    const greet = Task.make(url, "greet", (name?: string) => ({ text: `hello ${name}` }))
    expect(greet).type.toBe<Task.Task<[name?: string | undefined], { text: string }, never>>()
    expect(Task.make(url, "nothing", () => {})).type.toBe<Task.Task<[], void, never>>()
    expect(Task.make(url, "rest", (...all: Array<number>) => all.length)).type.toBe<
      Task.Task<Array<number>, number, never>
    >()
  })

  it("infers E from Result, in one branch or in all", () => {
    const find = Task.make(
      url,
      "find",
      (id: number) => id > 0 ? Result.succeed(`user ${id}`) : Result.fail({ _tag: "NotFound" as const, id })
    )
    expect(find).type.toBe<Task.Task<[id: number], string, { _tag: "NotFound"; id: number }>>()
    const declared = Task.make(url, "declared", (): Result.Result<number, Missing> => Result.succeed(1))
    expect(declared).type.toBe<Task.Task<[], number, Missing>>()
  })

  it("an error class with Effect's methods can be a domain error", () => {
    const find = Task.make(url, "find", () => Result.fail(new Missing({ id: 1 })))
    expect(find).type.toBe<Task.Task<[], never, Missing>>()
  })

  it("a returned Buffer arrives as a Uint8Array", () => {
    const read = Task.make(url, "read", () => Buffer.from("text"))
    expect(read).type.toBe<Task.Task<[], Uint8Array<ArrayBuffer>, never>>()
  })

  it("cloneable values are accepted at any depth", () => {
    interface Tree {
      readonly value: number
      readonly children: ReadonlyArray<Tree>
    }
    Task.make(url, "tree", (tree: Tree): Tree => tree)
    type Json = string | number | boolean | null | Array<Json> | { [key: string]: Json }
    Task.make(url, "recursive", (json: Json): Json => json)
    Task.make(url, "schemaJson", (json: Schema.Json): Schema.Json => json)
    Task.make(url, "failure", (json: Json) => Result.fail({ _tag: "Bad", json } as const))
    Task.make(url, "collections", (_: Map<string, Set<Date>>) => new Map<string, { at?: RegExp }>())
    Task.make(url, "binary", (_: Uint8Array, __: ArrayBuffer, ___: SharedArrayBuffer) => new Float64Array(1))
    Task.make(url, "union", (_: { kind: "a"; n: bigint } | { kind: "b" } | null) => undefined)
    Task.make(url, "port", (_: MessagePort) => 1)
    Task.make(url, "json", (text: string) => JSON.parse(text))
    Task.make(url, "unknown", (value: unknown) => value)
  })

  it("a default value keeps the type of its parameter", () => {
    expect(Task.make(url, "number", (n = 1) => n)).type.toBe<Task.Task<[n?: number | undefined], number>>()
    const options = Task.make(url, "options", (text: string, options: { a?: number } = {}) => text.at(options.a ?? 0))
    expect(options).type.toBe<
      Task.Task<[text: string, options?: { a?: number } | undefined], string | undefined>
    >()
    // @ts-expect-error A task body is synchronous, but this one is async or returns a Promise
    Task.make(url, "async", async (n = 1) => n)
    // @ts-expect-error Parameter 'n' implicitly has an 'any' type
    Task.make(url, "untyped", (n) => n)
  })

  it("Node's own parameter types are accepted", () => {
    Task.make(url, "zlib", (input: InputType) => gzipSync(input))
    Task.make(url, "binary", (input: BinaryLike) => typeof input)
    Task.make(url, "views", (a: NodeJS.TypedArray, b: NodeJS.ArrayBufferView) => a.length + b.byteLength)
    Task.make(url, "half", (half: Float16Array) => half.subarray(1))
    Task.make(url, "either", (bytes: Buffer | Uint8Array) => bytes.length)
  })

  it("branded values, plain errors and regular expression matches are accepted", () => {
    type Id = number & Brand.Brand<"Id">
    type Day = Date & Brand.Brand<"Day">
    Task.make(url, "branded", (id: Id, days: ReadonlyArray<{ at: Day } & Brand.Brand<"At">>) => ({ id, days }))
    Task.make(url, "errors", () => ({ failed: new TypeError("no"), match: /a/.exec("a") }))
    Task.make(url, "index", (record: Readonly<Record<PropertyKey, string>>) => record)
  })

  it("rejects a result that would lose a part", () => {
    class Coded extends Error {
      code = 1
    }
    class Registry extends Map<string, number> {
      total() {
        return this.size
      }
    }
    class Tags extends Set<string> {
      label = ""
    }
    class Day extends Date {
      week() {
        return 1
      }
    }
    class Stack extends Array<number> {
      peek() {
        return this.at(-1)
      }
    }
    const key: unique symbol = Symbol("key")
    // @ts-expect-error result is an Error, of which only name, message, stack and cause arrive
    Task.make(url, "error", () => new Coded())
    // @ts-expect-error result.failed is an Error, of which only name, message, stack and cause arrive
    Task.make(url, "nested", () => ({ failed: new Coded() }))
    // @ts-expect-error result is more than a Map, and arrives as a Map alone
    Task.make(url, "map", () => new Registry())
    // @ts-expect-error result.tags is more than a Set, and arrives as a Set alone
    Task.make(url, "set", () => ({ tags: new Tags() }))
    // @ts-expect-error result is more than a Date, and arrives as a Date alone
    Task.make(url, "date", () => new Day())
    // @ts-expect-error result[number] is more than an Array, and arrives as an Array alone
    Task.make(url, "array", () => [new Stack()])
    // @ts-expect-error error.tags is more than a Set, and arrives as a Set alone
    Task.make(url, "failure", () => Result.fail({ tags: new Tags() }))
    // @ts-expect-error result has a symbol as a key, which is lost on the way: use a string, or Task.schema
    Task.make(url, "symbol", () => ({ [key]: 1 }))
    // @ts-expect-error result.data is a Buffer, which arrives as a Uint8Array: write Uint8Array.from(buffer)
    Task.make(url, "buffer", () => ({ data: Buffer.alloc(1) }))
  })

  it("names types of Effect, once", () => {
    class Stored extends Data.TaggedError("Stored")<{ readonly stored: Option.Option<string> }> {
      describe() {
        return this.message
      }
    }
    // @ts-expect-error Invalid<"error.stored is an Option, which cannot be sent to another thread: use Task.schema">
    Task.make(url, "stored", () => Result.fail(new Stored({ stored: Option.none() })))
    // @ts-expect-error Invalid<"arguments[0] is a Duration, which cannot be sent to another thread: use Task.schema">
    Task.make(url, "duration", (_: Duration.Duration) => 1)
    // @ts-expect-error Invalid<"arguments[0] is a DateTime, which cannot be sent to another thread: use Task.schema">
    Task.make(url, "dateTime", (_: DateTime.Utc) => 1)
    // @ts-expect-error Invalid<"arguments[0] is a Chunk, which cannot be sent to another thread: use Task.schema">
    Task.make(url, "chunk", (_: Chunk.Chunk<number>) => 1)
    // @ts-expect-error Invalid<"arguments[0] is a HashMap, which cannot be sent to another thread: use Task.schema">
    Task.make(url, "hashMap", (_: HashMap.HashMap<string, number>) => 1)
    // @ts-expect-error Invalid<"result.exit is an Exit, which cannot be sent to another thread: use Task.schema">
    Task.make(url, "exit", () => ({ exit: Exit.succeed(1) }))
    // @ts-expect-error Invalid<"result.inner is a Result, which cannot be sent to another thread: use Task.schema">
    Task.make(url, "result", () => ({ inner: Result.succeed(1) }))
    // @ts-expect-error result.password is Redacted, which cannot be sent to another thread
    Task.make(url, "redacted", () => ({ password: Redacted.make("secret") }))
    // @ts-expect-error Invalid<"arguments[0] is a URL, which cannot be sent to another thread: send url.href">
    Task.make(url, "url", (_: URL) => 1)
  })

  it("rejects an asynchronous body", () => {
    // @ts-expect-error A task body is synchronous, but this one is async or returns a Promise
    Task.make(url, "async", async (n: number) => n)
    // @ts-expect-error A task body is synchronous, but this one is async or returns a Promise
    Task.make(url, "promise", (n: number) => Promise.resolve(n))
    // @ts-expect-error but this one returns an Effect
    Task.make(url, "effect", () => effect)
    // @ts-expect-error but this one returns the error itself: write Result.fail(error)
    Task.make(url, "error", (n: number) => n > 0 ? n : new Missing({ id: n }))
    // @ts-expect-error but this one returns a stream
    Task.make(url, "stream", () => Stream.make(1))
    // @ts-expect-error but this one returns a stream
    Task.make(url, "iterable", () => iterable)
  })

  it("rejects arguments that cannot be cloned, with their path", () => {
    // @ts-expect-error arguments[0] is a function, which cannot be sent to another thread
    Task.make(url, "callback", (_: () => void) => 1)
    // @ts-expect-error arguments[1].on.done is a function, which cannot be sent to another thread
    Task.make(url, "deep", (_: number, __: { readonly on: { readonly done: () => void } }) => 1)
    type Recursive = string | Array<Recursive> | { readonly done: () => void }
    // @ts-expect-error arguments[0].done is a function, which cannot be sent to another thread
    Task.make(url, "recursive", (value: Recursive) => typeof value)
    // @ts-expect-error arguments[0][number].id is a symbol, which cannot be sent to another thread
    Task.make(url, "symbol", (_: ReadonlyArray<{ id: symbol }>) => 1)
    // @ts-expect-error arguments[0].values().later is a Promise: await it before, and pass its value
    Task.make(url, "promise", (_: Map<string, { later: Promise<number> }>) => 1)
    // @ts-expect-error arguments[0].data is a Buffer, which arrives as a Uint8Array: write Uint8Array instead
    Task.make(url, "buffer", (_: { data: Buffer }) => 1)
    // @ts-expect-error arguments[0] holds weak references, which cannot be sent to another thread
    Task.make(url, "weak", (_: WeakMap<object, string>) => 1)
  })

  it("rejects results and domain errors that cannot be cloned", () => {
    // @ts-expect-error result.close is a function, which cannot be sent to another thread
    Task.make(url, "handle", () => ({ close: () => {} }))
    // @ts-expect-error result is an Option, which cannot be sent to another thread: use Task.schema
    Task.make(url, "option", () => Option.some(1))
    // @ts-expect-error error.retry is a function, which cannot be sent to another thread
    Task.make(url, "failure", () => Result.fail({ retry: () => {} }))
  })
})

describe("Task.schema", () => {
  it("infers from the schemas, both ways", () => {
    const task = Task.schema(url, "find", {
      payload: Schema.Struct({ since: Schema.Option(Schema.Date) }),
      success: Schema.Option(Schema.Int),
      error: Missing
    }, ({ since }) => {
      expect(since).type.toBe<Option.Option<Date>>()
      return Result.succeed(Option.none())
    })
    expect(task).type.toBe<
      Task.SchemaTask<[payload: { readonly since: Option.Option<Date> }], Option.Option<number>, Missing>
    >()
  })

  it("without a payload, the body takes no arguments", () => {
    expect(Task.schema(url, "now", { success: Schema.Date }, () => new Date())).type.toBe<
      Task.SchemaTask<[], Date, never>
    >()
  })

  it("a payload of Unknown or Any is an argument", () => {
    const unknown = Task.schema(url, "unknown", { payload: Schema.Unknown, success: Schema.String }, (x) => typeof x)
    expect(unknown).type.toBe<Task.SchemaTask<[payload: unknown], string>>()
    Blocking.run(unknown, 1)
    const any = Task.schema(url, "any", { payload: Schema.Any, success: Schema.String }, (x) => typeof x)
    expect(any).type.toBe<Task.SchemaTask<[payload: any], string>>()
    Blocking.run(any, 1)
    expect(Task.schema(url, "void", { payload: Schema.Void }, () => {})).type.toBe<Task.SchemaTask<[], void>>()
  })

  it("rejects a body that does not fit its schemas", () => {
    // @ts-expect-error is not assignable to type
    Task.schema(url, "wrong", { success: Schema.Int }, () => "text")
  })
})

describe("running", () => {
  const add = Task.make(url, "add", (a: number, b: number) => a + b)
  const find = Task.make(url, "find", (): Result.Result<string, Missing> => Result.succeed(""))

  it("returns A, and fails with E or JoinError", () => {
    expect(Blocking.run(add, 1, 2)).type.toBe<Effect.Effect<number, JoinError.JoinError, Blocking.Blocking>>()
    expect(Blocking.run(find)).type.toBe<Effect.Effect<string, JoinError.JoinError | Missing, Blocking.Blocking>>()
  })

  it("rejects wrong arguments", () => {
    // @ts-expect-error Argument of type 'string' is not assignable to parameter of type 'number'
    Blocking.run(add, 1, "2")
    // @ts-expect-error Expected 3 arguments, but got 2
    Blocking.run(add, 1)
    // @ts-expect-error Expected 3 arguments, but got 4
    Blocking.spawn(add, 1, 2, 3)
  })

  it("rejects unknown properties in every way to run a task", () => {
    const read = Task.make(url, "read", (o: { path: string; encoding?: string }) => o.path)
    class Cpu extends Blocking.Pool<Cpu>()("app/Cpu") {}
    const set = null as unknown as JoinSet.JoinSet<string>
    // @ts-expect-error 'encodng' does not exist in type
    Blocking.run(read, { path: "x", encodng: "utf8" })
    // @ts-expect-error 'encodng' does not exist in type
    Blocking.run(Task.with(read, { timeLimit: "1 second" }), { path: "x", encodng: "utf8" })
    // @ts-expect-error 'encodng' does not exist in type
    Blocking.spawn(read, { path: "x", encodng: "utf8" })
    // @ts-expect-error 'encodng' does not exist in type
    Blocking.spawnDetached(read, { path: "x", encodng: "utf8" })
    // @ts-expect-error 'encodng' does not exist in type
    Blocking.lease((thread) => thread.run(read, { path: "x", encodng: "utf8" }))
    // @ts-expect-error 'encodng' does not exist in type
    Cpu.run(read, { path: "x", encodng: "utf8" })
    // @ts-expect-error 'encodng' does not exist in type
    Effect.flatMap(Cpu, (pool) => pool.run(read, { path: "x", encodng: "utf8" }))
    // @ts-expect-error 'encodng' does not exist in type
    JoinSet.spawn(set, read, { path: "x", encodng: "utf8" })
  })

  it("arguments can be passed on, generically or as a tuple", () => {
    const generic = <Args extends ReadonlyArray<unknown>, A, E>(task: Task.Task<Args, A, E>, ...args: Args) =>
      Blocking.run(task, ...args)
    expect(generic(add, 1, 2)).type.toBe<Effect.Effect<number, JoinError.JoinError, Blocking.Blocking>>()
    const rest = Task.make(url, "rest", (first: string, ...more: Array<number>) => first.length + more.length)
    Blocking.run(rest, "a", 1, 2)
    const optional = Task.make(url, "optional", (a: number, b?: string) => a + (b ?? ""))
    Blocking.run(optional, 1)
    Blocking.run(optional, 1, "b")
  })

  it("E3: catching JoinError removes it from E, and the domain error stays", () => {
    const caught = Blocking.run(find).pipe(Effect.catchTag("JoinError", () => Effect.succeed(0)))
    expect(caught).type.toBe<Effect.Effect<string | number, Missing, Blocking.Blocking>>()
    const other = Blocking.run(find).pipe(Effect.catchTag("Missing", ({ id }) => Effect.succeed(id)))
    expect(other).type.toBe<Effect.Effect<string | number, JoinError.JoinError, Blocking.Blocking>>()
    const reason = Blocking.run(find).pipe(
      Effect.catchReason("JoinError", "TimedOut", ({ limitMillis }) => Effect.succeed(limitMillis))
    )
    expect(reason).type.toBe<Effect.Effect<string | number, JoinError.JoinError | Missing, Blocking.Blocking>>()
    const unwrapped = Blocking.run(add, 1, 1).pipe(Effect.unwrapReason("JoinError"))
    expect(unwrapped).type.toBe<Effect.Effect<number, JoinError.JoinErrorReason, Blocking.Blocking>>()
  })

  it("E1: methods of a domain error are in the types if its class is in `errors`", () => {
    class Quota extends Schema.TaggedError<Quota>()("Quota", { limit: Schema.Int }) {
      describe() {
        return `at most ${this.limit}`
      }
    }
    const fail = () => Result.fail(new Quota({ limit: 1 }))
    const named = Blocking.run(Task.make(url, "named", fail, { timeLimit: "1 second", errors: [Missing, Quota] }))
    expect(named).type.toBe<Effect.Effect<never, Quota | JoinError.JoinError, Blocking.Blocking>>()
    const plain = Blocking.run(Task.make(url, "plain", fail, { timeLimit: "1 second", errors: [Missing] }))
    plain.pipe(Effect.catchTag("Quota", (error) => {
      expect(error.limit).type.toBe<number>()
      expect(error.message).type.toBe<string>()
      // @ts-expect-error Property 'describe' does not exist on type 'WithoutMethods<Quota>'
      error.describe()
      return Effect.flatMap(error, () => Effect.void)
    }))
    // Without methods of its own, its type is unchanged.
    const missing = Blocking.run(Task.make(url, "missing", () => Result.fail(new Missing({ id: 1 }))))
    expect(missing).type.toBe<Effect.Effect<never, Missing | JoinError.JoinError, Blocking.Blocking>>()
  })

  it("E1: an error of a subclass has the methods of the class in `errors`", () => {
    class Base extends Error {
      readonly _tag: string = "Base"
      base() {
        return 1
      }
    }
    class Sub extends Base {
      override readonly _tag = "Sub"
      override base(): 2 {
        return 2
      }
      sub() {
        return 3
      }
    }
    const fail = () => Result.fail(new Sub())
    const ofBase = Effect.flip(Blocking.run(Task.make(url, "base", fail, { errors: [Base] })))
    Effect.map(ofBase, (error) => {
      if (error._tag === "JoinError") return
      expect(error._tag).type.toBe<"Sub">()
      // The method of Base runs, even if Sub overrides it.
      expect(error.base()).type.toBe<number>()
      // @ts-expect-error Property 'sub' does not exist on type 'WithMethodsOf<Sub, Base>'
      error.sub()
    })
    const ofError = Task.make(url, "error", fail, { errors: [Error] })
    expect(ofError).type.toBe<Task.Task<[], never, Task.WithoutMethods<Sub>>>()
    const both = Task.make(url, "both", fail, { errors: [Error, Base, Sub] })
    expect(both).type.toBe<Task.Task<[], never, Sub>>()
    // @ts-expect-error `errors` belongs to the definition of a task: give it to Task.make
    Task.with(both, { errors: [] })
  })

  it("a named pool requires itself", () => {
    class Cpu extends Blocking.Pool<Cpu>()("app/Cpu") {}
    expect(Cpu.run(add, 1, 2)).type.toBe<Effect.Effect<number, JoinError.JoinError, Cpu>>()
    expect(Cpu.events).type.toBe<Stream.Stream<Blocking.TaskEvent, never, Cpu>>()
    expect(Blocking.events).type.toBe<Stream.Stream<Blocking.TaskEvent, never, Blocking.Blocking>>()
    expect(Blocking.pools).type.toBe<Effect.Effect<ReadonlyArray<Blocking.Pool>>>()
    expect(Cpu.stats).type.toBe<Effect.Effect<Blocking.PoolStats, never, Cpu>>()
  })

  it("Task.with keeps the type and checks its options", () => {
    expect(Task.with(find, { timeLimit: "1 second" })).type.toBe<Task.Task<[], string, Missing>>()
    // @ts-expect-error is not assignable to type
    Task.with(find, { onInterrupt: "kill" })
    // @ts-expect-error is not assignable to type
    Task.with(find, { timeLimit: "soon" })
  })

  it("inPlace requires nothing and cannot fail", () => {
    expect(Blocking.inPlace(() => 1)).type.toBe<Effect.Effect<number>>()
  })
})

describe("Task.stream", () => {
  it("G3: infers elements and domain error from the generator", () => {
    const lines = Task.stream(url, "lines", function*(path: string) {
      yield path
      if (path === "") return Result.fail(new Missing({ id: 1 }))
    })
    expect(Blocking.stream(lines, "a.csv")).type.toBe<
      Stream.Stream<string, Missing | JoinError.JoinError, Blocking.Blocking>
    >()
    const bytes = Task.stream(url, "bytes", function*() {
      yield Buffer.from("text")
    })
    expect(bytes).type.toBe<Task.StreamTask<[], Uint8Array<ArrayBuffer>>>()
    class Cpu extends Blocking.Pool<Cpu>()("app/Cpu") {}
    expect(Cpu.stream(bytes)).type.toBe<Stream.Stream<Uint8Array<ArrayBuffer>, JoinError.JoinError, Cpu>>()
  })

  it("rejects a body that is not a generator, and values that cannot cross", () => {
    // @ts-expect-error The body of a stream is a generator function: write function*
    Task.stream(url, "list", () => [1])
    // @ts-expect-error The body of a stream is synchronous, but this one is async
    Task.stream(url, "async", async function*() {
      yield 1
    })
    // @ts-expect-error elements[number].done is a function, which cannot be sent to another thread
    Task.stream(url, "functions", function*() {
      yield { done: () => {} }
    })
    // @ts-expect-error The body of a stream returns nothing, or Result.fail(error)
    Task.stream(url, "returns", function*() {
      yield 1
      return 2
    })
  })

  it("can be streamed and not run", () => {
    const add = Task.make(url, "add", (a: number, b: number) => a + b)
    const numbers = Task.stream(url, "numbers", function*(from: number) {
      yield from
    })
    expect(Task.with(numbers, { idleTimeLimit: "1 second" })).type.toBe<Task.StreamTask<[from: number], number>>()
    // @ts-expect-error is not assignable to parameter of type
    Blocking.run(numbers, 1)
    // @ts-expect-error is not assignable to parameter of type
    Blocking.stream(add, 1, 2)
    // @ts-expect-error is not assignable to parameter of type
    Blocking.stream(numbers, "1")
  })
})

describe("Task.sink and Task.pipe", () => {
  const sum = Task.sink(url, "sum", (input: Iterable<number>, from: number) => {
    let total = from
    for (const n of input) total += n
    return total < 0 ? Result.fail(new Missing({ id: 1 })) : Result.succeed(total)
  })
  const sizes = Task.pipe(url, "sizes", function*(input: Iterable<string>) {
    for (const text of input) yield text.length
  })

  it("G8: infers input, other arguments, result and error", () => {
    expect(sum).type.toBe<Task.SinkTask<[from: number], number, number, Missing>>()
    expect(Stream.run(Stream.make(1, 2), Blocking.sink(sum, 0))).type.toBe<
      Effect.Effect<number, Missing | JoinError.JoinError, Blocking.Blocking>
    >()
    expect(sizes).type.toBe<Task.PipeTask<[], string, number>>()
    const lines: Stream.Stream<string, "broken"> = Stream.fail("broken")
    expect(lines.pipe(Blocking.pipe(sizes))).type.toBe<
      Stream.Stream<number, "broken" | JoinError.JoinError, Blocking.Blocking>
    >()
    class Cpu extends Blocking.Pool<Cpu>()("app/Cpu") {}
    expect(lines.pipe(Cpu.pipeThrough(sizes))).type.toBe<Stream.Stream<number, "broken" | JoinError.JoinError, Cpu>>()
    expect(Task.with(sizes, { exclusive: true })).type.toBe<Task.PipeTask<[], string, number>>()
  })

  it("rejects a missing input, and one that cannot cross", () => {
    // @ts-expect-error The first parameter of the body is its input
    Task.sink(url, "none", () => 1)
    // @ts-expect-error The first parameter of the body is its input
    Task.sink(url, "array", (input: Array<number>) => input.length)
    // @ts-expect-error input[number].done is a function, which cannot be sent to another thread
    Task.sink(url, "functions", (_: Iterable<{ done: () => void }>) => 1)
    // @ts-expect-error The body of a stream is a generator function
    Task.pipe(url, "list", (_: Iterable<number>) => [1])
    // @ts-expect-error arguments[0] is a function, which cannot be sent to another thread
    Task.sink(url, "argument", (_: Iterable<number>, __: () => void) => 1)
  })
})

describe("Callback", () => {
  class Lookup extends Callback.Service<Lookup>()("app/Lookup", Callback.fn<[id: string], number, "NotFound">()) {}
  class Progress extends Callback.Service<Progress>()("app/Progress", Callback.notify<[done: number]>()) {}

  const total = Task.make(url, "total", (id: string) => Lookup.call(id), { callbacks: [Lookup, Progress] })

  it("H1: the callbacks of a task are required where it is run, and nowhere else", () => {
    const run = Blocking.run(total, "a")
    expect(run).type.toBe<
      Effect.Effect<number, "NotFound" | JoinError.JoinError, Blocking.Blocking | Lookup | Progress>
    >()
    expect(run.pipe(
      Effect.provideService(Lookup, (id) => Effect.succeed(id.length)),
      Effect.provideService(Progress, () => Effect.void)
    )).type.toBe<Effect.Effect<number, "NotFound" | JoinError.JoinError, Blocking.Blocking>>()
    // @ts-expect-error `callbacks` belongs to the definition of a task: give it to Task.make
    Task.with(total, { callbacks: [] })
  })

  it("H2: parameters, result and failure are checked on both sides", () => {
    expect(Lookup.call("a")).type.toBe<Result.Result<number, "NotFound">>()
    expect(Lookup.callOrThrow("a")).type.toBe<number>()
    // @ts-expect-error is not assignable to parameter of type 'string'
    Lookup.call(1)
    // @ts-expect-error is not assignable to
    Effect.provideService(Effect.void, Lookup, (id) => Effect.succeed(id))
    // @ts-expect-error is a function, which cannot be sent to another thread
    Callback.Service<never>()("app/Sort", Callback.fn<[compare: () => number]>())
  })

  it("H6: in a generator body, a question evaluates to its answer, and is not an element", () => {
    const sizes = Task.stream(url, "sizes", function*(ids: ReadonlyArray<string>) {
      for (const id of ids) {
        const size = yield* Lookup.ask(id)
        expect(size).type.toBe<Result.Result<number, "NotFound">>()
        expect(yield* Lookup.askOrThrow(id)).type.toBe<number>()
        if (Result.isFailure(size)) return Result.fail(size.failure)
        yield `${size.success}`
      }
    }, { callbacks: [Lookup] })
    expect(Blocking.stream(sizes, ["a"])).type.toBe<
      Stream.Stream<string, "NotFound" | JoinError.JoinError, Blocking.Blocking | Lookup>
    >()
    const annotated = Task.pipe(url, "annotated", function*(input: Iterable<string>): Generator<number, void> {
      for (const id of input) yield yield* Lookup.askOrThrow(id)
    }, { callbacks: [Lookup] })
    expect(annotated).type.toBe<Task.PipeTask<[], string, number, never, Lookup>>()
    // @ts-expect-error is not assignable to parameter of type 'string'
    Lookup.ask(1)
    // @ts-expect-error is a question to the program: write yield* in front of it
    Task.stream(url, "noStar", function*() {
      yield Lookup.ask("a")
    }, { callbacks: [Lookup] })
    // @ts-expect-error 'ask' does not exist
    Progress.ask(1)
  })
})
