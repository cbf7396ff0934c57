import type { NodeBlocking } from "@effect-blocking/platform-node"
import { BlockingTest } from "@effect-blocking/vitest"
import { Effect, type Exit, type Layer, Result } from "effect"
import { Blocking, JoinError, Task } from "effect-blocking"
import { describe, expect, it } from "tstyche"

const url = import.meta.url

const add = Task.make(url, "add", (a: number, b: number) => a + b)
const half = Task.make(
  url,
  "half",
  (n: number) => n % 2 === 0 ? Result.succeed(n / 2) : Result.fail({ _tag: "Odd", n } as const)
)

class Cpu extends Blocking.Pool<Cpu>()("app/Cpu") {}

describe("BlockingTest.layer", () => {
  it("provides the pool and its control", () => {
    expect(BlockingTest.layer()).type.toBe<Layer.Layer<Blocking.Blocking | BlockingTest.BlockingTest>>()
    expect(BlockingTest.layerPool(Cpu)).type.toBe<Layer.Layer<Cpu | BlockingTest.BlockingTest>>()
  })

  it("takes the options of NodeBlocking, and no others", () => {
    expect<NodeBlocking.Options>().type.toBeAssignableTo<BlockingTest.Options>()
    expect<keyof BlockingTest.Options>().type.toBe<keyof NodeBlocking.Options>()
  })

  it("is required by runs and by control functions", () => {
    const run = Blocking.run(add, 1, 2)
    expect(run).type.not.toBeAssignableTo<Effect.Effect<number, JoinError.JoinError>>()
    expect(run.pipe(Effect.provide(BlockingTest.layer()))).type.toBe<Effect.Effect<number, JoinError.JoinError>>()
    const hold = BlockingTest.hold(add)
    expect(hold).type.toBe<Effect.Effect<BlockingTest.Held, never, BlockingTest.BlockingTest>>()
    expect(hold).type.not.toBeAssignableTo<Effect.Effect<BlockingTest.Held>>()
    expect(Cpu.run(add, 1, 2).pipe(Effect.provide(BlockingTest.layer()))).type.toBe<
      Effect.Effect<number, JoinError.JoinError, Cpu>
    >()
  })

  it("rejects an option that no pool has", () => {
    // @ts-expect-error 'threads' does not exist in type 'Options'
    BlockingTest.layer({ threads: 2 })
  })
})

describe("BlockingTest.stub", () => {
  it("takes the task's arguments and returns its result or its error", () => {
    BlockingTest.stub(add, (a, b) => {
      expect(a).type.toBe<number>()
      return a * b
    })
    BlockingTest.stub(add, () => 0)
    BlockingTest.stub(half, () => 1)
    BlockingTest.stub(half, (n) => Result.fail({ _tag: "Odd", n } as const))
    BlockingTest.stub(half, () => {
      throw new Error("boom")
    })
  })

  it("rejects another result, another error, other arguments and a body that is not synchronous", () => {
    // @ts-expect-error Type 'string' is not assignable to type
    BlockingTest.stub(add, () => "three")
    // @ts-expect-error is not assignable to
    BlockingTest.stub(add, () => Result.fail("no such error"))
    // @ts-expect-error is not assignable to
    BlockingTest.stub(half, () => Result.fail({ _tag: "Even" } as const))
    // @ts-expect-error is not assignable to parameter of type
    BlockingTest.stub(add, (text: string) => text.length)
    // @ts-expect-error Type 'Promise<number>' is not assignable to type
    BlockingTest.stub(add, async () => 3)
    // @ts-expect-error Type 'Effect<number, never, never>' is not assignable to type
    BlockingTest.stub(add, () => Effect.succeed(3))
  })
})

describe("BlockingTest.failNext", () => {
  it("takes a reason of JoinError and nothing else", () => {
    BlockingTest.failNext(add, new JoinError.WorkerExited({ exitCode: 1 }))
    // @ts-expect-error Argument of type 'Error' is not assignable
    BlockingTest.failNext(add, new Error("boom"))
  })
})

describe("BlockingTest.callsOf", () => {
  it("has the types of the task", () => {
    const calls = Effect.runSync(Effect.provide(BlockingTest.callsOf(half), BlockingTest.layer()))
    expect(calls[0]!.args).type.toBe<[n: number]>()
    expect(calls[0]!.exit).type.toBe<
      Exit.Exit<number, { readonly _tag: "Odd"; readonly n: number } | JoinError.JoinError> | undefined
    >()
  })
})
