/** Several runners on one storage, as programs of one process. */
import { ClusterPool, ClusterStorage } from "@effect-blocking/cluster"
import { NodeBlocking } from "@effect-blocking/platform-node"
import * as SqliteTest from "@effect-blocking/sqlite/SqliteTest"
import { BlockingTest } from "@effect-blocking/vitest"
import { assert, describe, it } from "@effect/vitest"
import { Context, Effect, Exit, Fiber, Layer, Metric, Option, Schema, Scope, Tracer } from "effect"
import { JoinError } from "effect-blocking"
import { SqlClient } from "effect/sql"
import { Workflow, WorkflowEngine } from "effect/workflow"
import { join } from "node:path"
import * as tasks from "./fixtures/tasks.ts"
import { client, Farm, folder, linesOf, open, reasonOf, retrySchedule, runner, storage, until } from "./utils/farms.ts"

/** Builds a program that a test can end early. */
const program = <A, E>(layer: Layer.Layer<A, E>) =>
  Effect.gen(function*() {
    const scope = yield* Effect.acquireRelease(Scope.make(), (scope) => Scope.close(scope, Exit.void))
    const context = yield* Effect.orDie(Layer.buildWithScope(Layer.fresh(layer), scope))
    return { context, close: Scope.close(scope, Exit.void) }
  })

const files = Effect.map(folder, (folder) => ({ folder, log: join(folder, "log"), gate: join(folder, "gate") }))

const names = (log: string): ReadonlyArray<string> => linesOf(log).map((line) => line.split(" ")[0]!)

class Versioned1 extends ClusterPool.Service<Versioned1>()("test/Versioned", { tasks: [tasks.square] }) {}
class Versioned2 extends ClusterPool.Service<Versioned2>()("test/Versioned", {
  tasks: [{ task: tasks.square, version: 2 }, { task: tasks.ping, tag: "echo" }]
}) {}

const versioned = (which: typeof Versioned1 | typeof Versioned2, folder: string, incompatibleTimeout: number) =>
  (which as typeof Versioned1).layerRunner({ incompatibleTimeout }).pipe(
    Layer.provide(NodeBlocking.layer({ maxThreads: 1 })),
    Layer.provideMerge(storage(folder)),
    Layer.orDie
  )

describe("runners", () => {
  it.live("N1: a runner of another version refuses a call, and leaves a submitted task to a runner of its version", () =>
    Effect.gen(function*() {
      const directory = yield* folder
      const old = yield* program(versioned(Versioned1, directory, 60_000))
      const caller = yield* program(Versioned2.layerClient().pipe(Layer.provide(storage(directory))))
      const reason = yield* reasonOf(Effect.provideContext(Versioned2.run(tasks.square, 3), caller.context))
      assert.deepInclude(reason, { _tag: "Incompatible", side: "version" })
      const unknown = yield* reasonOf(Effect.provideContext(Versioned2.run(tasks.ping), caller.context))
      assert.deepInclude(unknown, { _tag: "UnknownTask", where: "the runner", known: ["square"] })
      const receipt = yield* Effect.provideContext(
        Versioned2.submit(tasks.square, 3, { key: "three" }),
        caller.context
      )
      const sql = Context.get(old.context as Context.Context<SqlClient.SqlClient>, SqlClient.SqlClient)
      // A runner has taken it that cannot run it.
      yield* Effect.repeat(
        sql<
          { readonly n: number }
        >`SELECT count(*) AS n FROM effect_blocking_receipts WHERE envelope LIKE '%"passes":1%'`,
        { until: ([row]) => row!.n === 1 }
      )
      assert.isTrue(Option.isNone(yield* receipt.poll))
      yield* program(versioned(Versioned2, directory, 60_000))
      assert.strictEqual(yield* receipt.await, 9)
      assert.deepInclude(Option.getOrThrow(yield* receipt.status), { executions: 1 })
    }))

  it.live("N1: a task that no runner can run is parked, with the reason", () =>
    Effect.gen(function*() {
      const directory = yield* folder
      yield* program(versioned(Versioned1, directory, 0))
      const caller = yield* program(Versioned2.layerClient().pipe(Layer.provide(storage(directory))))
      const receipt = yield* Effect.provideContext(
        Versioned2.submit(tasks.square, 3, { key: "three" }),
        caller.context
      )
      const reason = yield* reasonOf(receipt.await)
      assert.deepInclude(reason, { _tag: "Parked", executions: 0 })
      assert.match(reason.message, /no runner could run it: .*version 1, and it was sent as version 2/)
    }))

  it.live("N2: a runner takes as many tasks as it has threads, and the rest waits for a free runner", () =>
    Effect.gen(function*() {
      const { folder, gate, log } = yield* files
      const one = yield* program(runner(folder, { threads: 1 }))
      const submit = (name: string, gate: string) => Farm.submit(tasks.gated, { log, gate, name }, { key: name })
      const held = yield* Effect.provideContext(submit("held", gate), one.context)
      yield* until(() => linesOf(log).length === 1)
      const free = join(folder, "free")
      yield* open(free)
      const receipts = yield* Effect.provideContext(
        Effect.forEach(["a", "b", "c"], (name) => submit(name, free)),
        one.context
      )
      // The other one runs them all, while the thread of the first is in use.
      const other = yield* program(runner(folder, { threads: 1 }))
      for (const receipt of receipts) yield* receipt.await
      assert.deepStrictEqual(names(log), ["held", "a", "b", "c"])
      yield* open(gate)
      assert.strictEqual(yield* held.await, "held 1")
      yield* other.close
    }))

  it.live("N2: items claimed ahead of short bodies are given back when a body is long, and that is no attempt", () =>
    Effect.gen(function*() {
      const { folder, gate, log } = yield* files
      const one = yield* program(runner(folder, { threads: 1, maxAttempts: 1 }))
      const submit = (name: string, gate?: string) =>
        Effect.provideContext(Farm.submit(tasks.shortOrGated, { log, name, gate }, { key: name }), one.context)
      for (let n = 0; n < 40; n++) yield* (yield* submit(`${n}`)).await
      const held = yield* submit("held", gate)
      yield* until(() => names(log).includes("held"))
      const behind = yield* Effect.forEach(["a", "b", "c"], (name) => submit(name))
      const other = yield* program(runner(folder, { threads: 1, maxAttempts: 1 }))
      // A second attempt would be one too many.
      for (const receipt of behind) yield* receipt.await
      assert.isTrue(Option.isNone(yield* held.poll))
      yield* open(gate)
      yield* held.await
      yield* other.close
    }))

  it.live("N2: a call goes to a runner with a free thread, even if its caller does not know which one has", () =>
    Effect.gen(function*() {
      const { folder, gate, log } = yield* files
      // With such locks a runner reports only every 12 minutes how busy it is.
      const shared = yield* program(storage(folder, { lockExpiration: "1 hour" }))
      const stored = Layer.succeedContext(shared.context)
      const all = ["a", "b", "c", "d"]
      for (const _ of all) {
        yield* program(
          Farm.layerRunner({ shutdownTimeout: 0 }).pipe(
            Layer.provide(NodeBlocking.layer({ maxThreads: 1 })),
            Layer.provide(stored)
          )
        )
      }
      // The callers do not know of each other: to each of them all runners look idle.
      const fibers = yield* Effect.forEach(all, (name) =>
        Effect.gen(function*() {
          const { context } = yield* program(Layer.provide(Farm.layerClient(), stored))
          const fiber = yield* Effect.forkChild(
            Effect.provideContext(Farm.run(tasks.gated, { log, gate, name }), context)
          )
          // It starts, so it does not wait behind another one.
          yield* until(() => names(log).includes(name))
          return fiber
        }))
      // All threads are busy: a fifth call waits for one.
      const { context } = yield* program(Layer.provide(Farm.layerClient(), stored))
      const fifth = yield* Effect.forkChild(
        Effect.provideContext(Farm.run(tasks.gated, { log, gate, name: "e" }), context)
      )
      yield* open(gate)
      const results = yield* Effect.forEach([...fibers, fifth], Fiber.join)
      assert.deepStrictEqual(results, ["a 1", "b 1", "c 1", "d 1", "e 1"])
    }))

  it.live("N3: without a runner a call fails typed, and a submitted task waits for one", () =>
    Effect.gen(function*() {
      const directory = yield* folder
      const { context } = yield* program(client(directory, { patience: 1 }))
      const reason = yield* reasonOf(Effect.provideContext(Farm.run(tasks.square, 2), context))
      assert.deepInclude(reason, { _tag: "NoRunner", known: 0 })
      const receipt = yield* Effect.provideContext(Farm.submit(tasks.square, 2, { key: "two" }), context)
      yield* program(runner(directory))
      assert.strictEqual(yield* receipt.await, 4)
    }))

  it.live("N3: an item whose receipt is settled is acknowledged, and does not run again", () =>
    Effect.gen(function*() {
      const { folder, log } = yield* files
      const first = yield* program(runner(folder, { threads: 1 }))
      const run = Farm.submit(tasks.flaky, { log, failures: 0 }, { key: "once" })
      const receipt = yield* Effect.provideContext(run, first.context)
      assert.strictEqual(yield* receipt.await, 1)
      // As if the runner had died after it stored the result and before it acknowledged the item.
      const sql = Context.get(first.context as Context.Context<SqlClient.SqlClient>, SqlClient.SqlClient)
      const states = sql<{ readonly state: string }>`SELECT state FROM effect_blocking_queue`
      const completed = Effect.repeat(states, { until: ([row]) => row!.state === "completed" })
      yield* completed
      yield* sql`UPDATE effect_blocking_queue SET state = 'pending'`
      yield* completed
      assert.deepStrictEqual(linesOf(log), ["tried"])
    }))

  it.live("N4: a runner that shuts down gives back unfinished tasks, and that is no attempt", () =>
    Effect.gen(function*() {
      const { folder, gate, log } = yield* files
      const { context } = yield* program(client(folder))
      const leaving = yield* program(runner(folder, { threads: 1, maxAttempts: 1 }))
      const receipt = yield* Effect.provideContext(
        Farm.submit(tasks.gated, { log, gate, name: "a" }, { key: "a" }),
        context
      )
      yield* until(() => linesOf(log).length === 1)
      yield* leaving.close
      assert.deepStrictEqual(linesOf(log), ["a 1", "a stopped"])
      yield* open(gate)
      yield* program(runner(folder, { threads: 1, maxAttempts: 1 }))
      assert.strictEqual(yield* receipt.await, "a 2")
    }))

  it.live("N4: a runner that shuts down waits for running tasks, up to shutdownTimeout", () =>
    Effect.gen(function*() {
      const { folder, gate, log } = yield* files
      const { context } = yield* program(client(folder))
      const leaving = yield* program(runner(folder, { threads: 1, shutdownTimeout: "1 hour" }))
      const receipt = yield* Effect.provideContext(
        Farm.submit(tasks.gated, { log, gate, name: "a" }, { key: "a" }),
        context
      )
      yield* until(() => linesOf(log).length === 1)
      const closing = yield* Effect.forkChild(leaving.close, { startImmediately: true })
      yield* open(gate)
      yield* Fiber.join(closing)
      assert.deepStrictEqual(yield* receipt.poll, Option.some(Exit.succeed("a 1")))
    }))

  it.live("N5: a task whose runners die while it runs is parked after its attempts", () =>
    Effect.gen(function*() {
      const { folder, log } = yield* files
      const { context } = yield* program(client(folder))
      const receipt = yield* Effect.provideContext(
        Farm.submit(tasks.flaky, { log, failures: 0 }, { key: "deadly" }),
        context
      )
      // As if two runners had died while they had it.
      const sql = Context.get(context, SqlClient.SqlClient)
      yield* sql`UPDATE effect_blocking_queue SET attempts = 2`
      yield* program(runner(folder, { threads: 1, maxAttempts: 2 }))
      const reason = yield* reasonOf(receipt.await)
      assert.deepInclude(reason, { _tag: "Parked", executions: 2 })
      assert.match(reason.message, /its runner died while it ran, 2 times/)
      assert.deepStrictEqual(linesOf(log), [])
    }))

  it.live("N5: a task that is submitted in a transaction that is rolled back was never submitted", () =>
    Effect.gen(function*() {
      const { folder, log } = yield* files
      const { context } = yield* program(runner(folder))
      yield* Effect.gen(function*() {
        const sql = yield* SqlClient.SqlClient
        const submit = Farm.submit(tasks.flaky, { log, failures: 0 }, { key: "in a transaction" })
        yield* Effect.exit(sql.withTransaction(Effect.andThen(submit, Effect.fail("rolled back"))))
        assert.isTrue(Option.isNone(yield* Farm.receipt(tasks.flaky, "in a transaction")))
        const receipt = yield* sql.withTransaction(submit)
        assert.strictEqual(yield* receipt.await, 1)
      }).pipe(Effect.provideContext(context as Context.Context<Farm | SqlClient.SqlClient>))
    }))

  it.live("N6: spans of calls and of submitted tasks belong to the caller's trace", () =>
    Effect.gen(function*() {
      const spans: Array<Tracer.Span> = []
      const tracer = Tracer.make({
        span: (options) => {
          const span = new Tracer.NativeSpan(options)
          spans.push(span)
          return span
        }
      })
      const traced = Layer.succeed(Tracer.Tracer, tracer)
      const directory = yield* folder
      yield* program(runner(directory).pipe(Layer.provideMerge(traced)))
      const { context } = yield* program(client(directory).pipe(Layer.provideMerge(traced)))
      yield* Effect.gen(function*() {
        yield* Farm.run(tasks.square, 2)
        const receipt = yield* Farm.submit(tasks.square, 3, { key: "three" })
        yield* receipt.await
      }).pipe(Effect.withSpan("request"), Effect.provideContext(context), Effect.provide(traced))
      const request = spans.find(({ name }) => name === "request")!
      const ofTask = spans.filter(({ name }) => name === "square" || name.endsWith(" square"))
      assert.lengthOf(ofTask, 2, spans.map(({ name }) => name).join(", "))
      for (const { traceId } of ofTask) assert.strictEqual(traceId, request.traceId)
      const taken = spans.find(({ name }) => name === "test/Farm.square")!
      assert.strictEqual(Option.getOrThrow(taken.parent).spanId, request.spanId)
      assert.strictEqual(taken.attributes.get("attempt"), 1)
    }))

  it.live("N6: metrics count calls, submissions and results", () =>
    Effect.gen(function*() {
      const directory = yield* folder
      const registry = new Map()
      const metrics = Layer.succeed(Metric.MetricRegistry, registry)
      const { context } = yield* program(runner(directory).pipe(Layer.provideMerge(metrics)))
      yield* Effect.gen(function*() {
        yield* Farm.run(tasks.square, 2)
        const receipt = yield* Farm.submit(tasks.square, 3, { key: "three" })
        yield* receipt.await
      }).pipe(Effect.provideContext(context), Effect.provideService(Metric.MetricRegistry, registry))
      const ids = Array.from(registry.values(), ({ id }: { readonly id: string }) => id)
      assert.deepStrictEqual(
        new Set(ids.filter((id) => id.startsWith("effect_blocking_cluster_"))),
        new Set(["busy", "calls", "settled", "submitted"].map((name) => `effect_blocking_cluster_${name}`))
      )
    }))

  it.live("N7: a farm over BlockingTest and SqliteTest has no thread, and its tasks can be failed", () =>
    Effect.gen(function*() {
      const layer = Farm.layerRunner({ listen: false, retrySchedule }).pipe(
        Layer.provide(ClusterStorage.layerSql({ pollInterval: 20 })),
        Layer.provideMerge(BlockingTest.layer({ maxThreads: 1 })),
        Layer.provide(SqliteTest.layer())
      )
      yield* Effect.gen(function*() {
        yield* BlockingTest.failNext(tasks.square, new JoinError.WorkerExited({ exitCode: 1 }))
        const receipt = yield* Farm.submit(tasks.square, 5, { key: "five" })
        assert.strictEqual(yield* receipt.await, 25)
        assert.deepInclude(Option.getOrThrow(yield* receipt.status), { executions: 2 })
        assert.lengthOf(yield* BlockingTest.callsOf(tasks.square), 2)
      }).pipe(Effect.provide(layer))
    }))

  it.live("N1: the callbacks of a body are provided by its runner", () =>
    Effect.gen(function*() {
      class Asking extends ClusterPool.Service<Asking>()("test/Asking", { tasks: [tasks.lookUp] }) {}
      const directory = yield* folder
      const { context } = yield* program(
        Asking.layerRunner().pipe(
          Layer.provide(NodeBlocking.layer({ maxThreads: 1 })),
          Layer.provide(Layer.succeed(tasks.Lookup, (id) => Effect.succeed(`found ${id}`))),
          Layer.provide(storage(directory))
        )
      )
      yield* Effect.gen(function*() {
        assert.strictEqual(yield* Asking.run(tasks.lookUp, "ada"), "found ada")
        const receipt = yield* Asking.submit(tasks.lookUp, "bob", { key: "bob" })
        assert.strictEqual(yield* receipt.await, "found bob")
      }).pipe(Effect.provideContext(context))
    }))

  it.live("N3: an activity of a workflow runs on the farm, once, however often the workflow is executed", () =>
    Effect.gen(function*() {
      const { folder, log } = yield* files
      const Report = Workflow.make("Report", {
        payload: { id: Schema.String },
        idempotencyKey: ({ id }) => id,
        success: Schema.Int,
        error: Schema.Unknown
      })
      const handler = Report.toLayer(() =>
        Effect.mapError(Farm.activity(tasks.flaky, { log, failures: 1 }, { key: "count" }), String)
      )
      const { context } = yield* program(
        handler.pipe(Layer.provideMerge(WorkflowEngine.layerMemory), Layer.provideMerge(runner(folder)))
      )
      yield* Effect.gen(function*() {
        assert.strictEqual(yield* Report.execute({ id: "a" }), 2)
        assert.strictEqual(yield* Report.execute({ id: "a" }), 2)
      }).pipe(Effect.provideContext(context))
      assert.lengthOf(linesOf(log), 2)
    }))
})
