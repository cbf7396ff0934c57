import { ClusterPool, type ClusterPoolError, type ClusterStorage } from "@effect-blocking/cluster"
import { type Effect, type Layer, type Option, Schema } from "effect"
import { Blocking, Callback, type JoinError, Task } from "effect-blocking"
import type { SocketServer } from "effect/socket"
import type { WorkflowEngine } from "effect/workflow"
import { describe, expect, it } from "tstyche"

class Missing extends Schema.TaggedError<Missing>()("Missing", {}) {}
class Lookup extends Callback.Service<Lookup>()("app/Lookup", Callback.fn<[id: string], string>()) {}
class Cpu extends Blocking.Pool<Cpu>()("app/Cpu") {}

const url = import.meta.url
const size = Task.schema(
  url,
  "size",
  { payload: Schema.String, success: Schema.Int, error: Missing },
  (text) => text.length
)
const now = Task.schema(url, "now", { success: Schema.Date }, () => new Date())
const asks = Task.schema(
  url,
  "asks",
  { payload: Schema.String, success: Schema.String },
  (id) => Lookup.callOrThrow(id),
  {
    callbacks: [Lookup]
  }
)
const made = Task.make(url, "made", (n: number) => n)
const rows = Task.stream(url, "rows", function*(n: number) {
  yield n
})

class Farm extends ClusterPool.Service<Farm>()("app/Farm", { tasks: [size, { task: now, version: 2 }] }) {}
class Asking extends ClusterPool.Service<Asking>()("app/Asking", { tasks: [size, { task: asks, tag: "ask" }] }) {}

type Failure = ClusterPoolError.ClusterPoolError

describe("ClusterPool", () => {
  it("Service: only tasks of Task.schema", () => {
    expect(ClusterPool.Service<object>()).type.not.toBeCallableWith("app/Made", { tasks: [made] })
    expect(ClusterPool.Service<object>()).type.not.toBeCallableWith("app/Rows", { tasks: [rows] })
    expect(ClusterPool.Service<object>()).type.toBeCallableWith("app/Derived", {
      tasks: [Task.with(size, { timeLimit: 1 })]
    })
  })

  it("run: the arguments, the result and the errors of the task", () => {
    expect(Farm.run(size, "text")).type.toBe<Effect.Effect<number, Missing | JoinError.JoinError | Failure, Farm>>()
    expect(Farm.run(now)).type.toBe<Effect.Effect<Date, JoinError.JoinError | Failure, Farm>>()
    expect(Farm.run).type.not.toBeCallableWith(size, 1)
    expect(Farm.run).type.not.toBeCallableWith(made, 1)
    expect(Farm.run).type.not.toBeCallableWith(rows, 1)
  })

  it("submit: a receipt of the result and the error", () => {
    expect(Farm.submit(size, "text", { key: "k" })).type.toBe<
      Effect.Effect<ClusterPool.Receipt<number, Missing>, Failure, Farm>
    >()
    expect(Farm.submit(now, { key: "k" })).type.toBe<Effect.Effect<ClusterPool.Receipt<Date, never>, Failure, Farm>>()
    expect(Farm.submit).type.not.toBeCallableWith(size, "text")
    expect(Farm.submit).type.not.toBeCallableWith(size, "text", {})
    expect(Farm.receipt(now, "k")).type.toBe<
      Effect.Effect<Option.Option<ClusterPool.Receipt<Date, never>>, Failure, Farm>
    >()
  })

  it("activity: what a workflow has to provide", () => {
    expect(Farm.activity(size, "text", { key: "k" })).type.toBe<
      Effect.Effect<
        number,
        Missing | Failure,
        Farm | WorkflowEngine.WorkflowEngine | WorkflowEngine.WorkflowInstance
      >
    >()
  })

  it("layers: runners need a pool and the callbacks of the tasks", () => {
    type Storage = ClusterStorage.ClusterStorage
    expect(Farm.layerClient()).type.toBe<Layer.Layer<Farm, never, Storage>>()
    expect(Farm.layerRunner()).type.toBe<
      Layer.Layer<Farm, SocketServer.SocketServerError, Storage | Blocking.Blocking>
    >()
    expect(Farm.layerClient({ patience: "1 second" })).type.toBe<
      Layer.Layer<Farm, ClusterPool.InvalidOptions, Storage>
    >()
    expect(Farm.layerRunner({ pool: Cpu })).type.toBe<
      Layer.Layer<Farm, ClusterPool.InvalidOptions | SocketServer.SocketServerError, Storage | Cpu>
    >()
    expect(Asking.layerLocal()).type.toBe<Layer.Layer<Asking, never, Blocking.Blocking | Lookup>>()
  })
})
