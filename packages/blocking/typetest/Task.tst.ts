import { Effect, Option, Result, Schema, Stream } from "effect"
import { Blocking, type JoinError, Task } from "effect-blocking"
import type { MessagePort } from "node:worker_threads"
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

  it("a Buffer that is returned arrives as a Uint8Array", () => {
    const read = Task.make(url, "read", () => Buffer.from("text"))
    expect(read).type.toBe<Task.Task<[], Uint8Array<ArrayBuffer>, never>>()
  })

  it("what can be cloned is accepted at any depth", () => {
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

  it("rejects a body that is not synchronous", () => {
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

  it("rejects arguments that cannot be cloned, and says where they are", () => {
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
      Task.Task<[payload: { readonly since: Option.Option<Date> }], Option.Option<number>, Missing>
    >()
  })

  it("without a payload the body takes nothing", () => {
    expect(Task.schema(url, "now", { success: Schema.Date }, () => new Date())).type.toBe<Task.Task<[], Date, never>>()
  })

  it("rejects a body that does not fit its schemas", () => {
    // @ts-expect-error is not assignable to type
    Task.schema(url, "wrong", { success: Schema.Int }, () => "text")
  })
})

describe("running", () => {
  const add = Task.make(url, "add", (a: number, b: number) => a + b)
  const find = Task.make(url, "find", (): Result.Result<string, Missing> => Result.succeed(""))

  it("gives A, and E beside JoinError", () => {
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

  it("E3: JoinError is gone from E once it is caught, and the domain error is kept", () => {
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
    // Without methods of its own it is as it was.
    const missing = Blocking.run(Task.make(url, "missing", () => Result.fail(new Missing({ id: 1 }))))
    expect(missing).type.toBe<Effect.Effect<never, Missing | JoinError.JoinError, Blocking.Blocking>>()
  })

  it("a named pool asks for itself", () => {
    class Cpu extends Blocking.Pool<Cpu>()("app/Cpu") {}
    expect(Cpu.run(add, 1, 2)).type.toBe<Effect.Effect<number, JoinError.JoinError, Cpu>>()
    expect(Cpu.stats).type.toBe<Effect.Effect<Blocking.PoolStats, never, Cpu>>()
  })

  it("Task.with keeps the type and checks its options", () => {
    expect(Task.with(find, { timeLimit: "1 second" })).type.toBe<Task.Task<[], string, Missing>>()
    // @ts-expect-error is not assignable to type
    Task.with(find, { onInterrupt: "kill" })
    // @ts-expect-error is not assignable to type
    Task.with(find, { timeLimit: "soon" })
  })

  it("inPlace needs nothing and cannot fail", () => {
    expect(Blocking.inPlace(() => 1)).type.toBe<Effect.Effect<number>>()
  })
})
