import { NodeBlocking } from "@effect-blocking/platform-node"
import { NodeHttpClient } from "@effect/platform-node"
import { assert, describe, it } from "@effect/vitest"
import { Effect, Layer, Logger, Metric, Queue, References, Schedule, Tracer } from "effect"
import { Task } from "effect-blocking"
import { OtlpSerialization, OtlpTracer, PrometheusMetrics } from "effect/observability"
import { AsyncLocalStorage } from "node:async_hooks"
import { createServer, type IncomingMessage } from "node:http"
import type { AddressInfo } from "node:net"
import * as native from "./fixtures/native.ts"
import * as tasks from "./fixtures/tasks.ts"
import * as Gate from "./utils/gate.ts"
import { closeable, reasonOf, withPool } from "./utils/pool.ts"
import { windows } from "./utils/windows.ts"

/** A separate registry, so that concurrent tests do not see each other's pools. */
const ownRegistry = <A, E, R>(effect: Effect.Effect<A, E, R>) =>
  Effect.suspend(() => Effect.provideService(effect, Metric.MetricRegistry, new Map()))

describe("metrics", () => {
  it.live.skipIf(windows)(
    "C2: each step of the ladder shows in the result, in the log and in the metrics",
    () =>
      native.withFifo((fifo) =>
        Effect.gen(function*() {
          const { close, logged, pool } = yield* closeable({ gracePeriod: 0, terminateTimeout: "2 seconds" })
          const abort = Effect.fnUntraced(function*(task: "polite" | "spin") {
            const started = Gate.make()
            const handle = yield* task === "polite"
              // A long grace period: this body checks the flag.
              ? pool.spawnDetached(Task.with(tasks.polite, { gracePeriod: "1 minute" }), started, Gate.make())
              : pool.spawnDetached(tasks.spin, started)
            yield* Gate.arrived(started)
            yield* handle.abort
            return yield* reasonOf(handle.join)
          })
          assert.deepInclude(yield* abort("polite"), { _tag: "Cancelled", stopped: "Checkpoint" })
          assert.deepInclude(yield* abort("spin"), { _tag: "Cancelled", stopped: "Terminated" })
          const stuck = yield* pool.spawnDetached(native.read, fifo.path)
          yield* fifo.entered
          yield* stuck.abort
          assert.deepInclude(yield* reasonOf(stuck.join), { _tag: "Cancelled", stopped: "Abandoned" })
          yield* pool.run(tasks.leavesErrors)
          yield* Effect.repeat(Metric.snapshot, {
            until: () => logged.length === 8,
            schedule: Schedule.spaced("5 millis")
          })

          const count = (id: string, step?: string) =>
            Effect.map(
              Metric.snapshot,
              (snapshot) =>
                snapshot.find((metric) => metric.id === `effect_blocking_${id}` && metric.attributes?.["step"] === step)
                  ?.state
            )
          assert.deepInclude(yield* count("stops_total", "Requested"), { count: 3 })
          assert.deepInclude(yield* count("stops_total", "Terminated"), { count: 2 })
          assert.deepInclude(yield* count("stops_total", "Abandoned"), { count: 1 })
          assert.deepInclude(yield* count("uncaught_errors_total"), { count: 2 })
          assert.match(logged[0]!, /Task "polite" on pool thread \d+ was asked to stop \(Abort\)/)
          assert.match(logged[1]!, /Task "spin" .* was asked to stop/)
          assert.match(logged[2]!, /Task "spin" was asked to stop and did not: pool thread \d+ is terminated \(Abort\)/)
          assert.match(logged[5]!, /could not be terminated and was abandoned; it runs task "read"/)
          assert.match(logged[6]!, /Uncaught error .* "leavesErrors"/)
          yield* fifo.release
          yield* close
        })
      ).pipe(Effect.provideService(References.MinimumLogLevel, "All"), ownRegistry)
  )

  it.live("the metrics of one key add up, and survive another pool of that key", () =>
    withPool({ maxThreads: 1 }, (pool) =>
      Effect.gen(function*() {
        const succeeded = Effect.map(
          Metric.snapshot,
          (snapshot) =>
            snapshot.flatMap(({ attributes, id, state }) =>
              id === "effect_blocking_tasks_total" && attributes?.["outcome"] === "Succeeded" ? [state] : []
            )
        )
        const waits = Effect.map(
          Metric.snapshot,
          (snapshot) => snapshot.find(({ id }) => id === "effect_blocking_queue_wait_millis")?.state
        )
        yield* pool.run(tasks.add, 1, 1)
        const series = (yield* Metric.snapshot).length
        yield* withPool({ maxThreads: 1 }, (other) =>
          Effect.gen(function*() {
            yield* other.run(tasks.add, 1, 1)
            assert.strictEqual((yield* Metric.snapshot).length, series)
            assert.deepStrictEqual(yield* succeeded, [{ count: 2, incremental: true }])
          }))
        yield* pool.run(tasks.add, 1, 1)
        assert.strictEqual((yield* Metric.snapshot).length, series)
        assert.deepStrictEqual(yield* succeeded, [{ count: 3, incremental: true }], "a counter never decreases")
        assert.deepInclude(yield* waits, { count: 3 })
      })).pipe(
        Effect.andThen(Metric.snapshot),
        Effect.map((snapshot) => assert.deepStrictEqual(snapshot, [])),
        ownRegistry
      ))

  it.live("outcomes of a shutdown are counted, if another pool of the key is open", () =>
    withPool({ maxThreads: 1 }, () =>
      Effect.gen(function*() {
        const { close, pool } = yield* closeable({ maxThreads: 1, shutdownTimeout: 0, gracePeriod: 0 })
        const started = Gate.make()
        yield* pool.spawnDetached(tasks.spin, started)
        yield* Gate.arrived(started)
        yield* pool.spawnDetached(tasks.add, 1, 1)
        yield* close
        const cancelled = (yield* Metric.snapshot).find(({ attributes, id }) =>
          id === "effect_blocking_tasks_total" && attributes?.["outcome"] === "Cancelled"
        )
        assert.deepInclude(cancelled?.state, { count: 2 })
      })).pipe(ownRegistry))

  it.live("a pool's log lines belong to no request, although a request has made and used it", () => {
    const storage = new AsyncLocalStorage<string>()
    const seen: Array<string | undefined> = []
    const logger = Logger.make(() => {
      seen.push(storage.getStore())
    })
    return Effect.gen(function*() {
      const pool = yield* NodeBlocking.make("test", { maxThreads: 1 })
      const started = Gate.make()
      yield* pool.run(tasks.leavesErrors)
      yield* Effect.repeat(Effect.sync(() => seen.length), {
        until: (count) => count >= 2,
        schedule: Schedule.spaced("5 millis")
      })
      yield* pool.spawnDetached(tasks.panicInCleanUp, started)
      yield* Gate.arrived(started)
    }).pipe(
      Effect.scoped,
      Effect.andThen(Effect.sync(() => {
        assert.isAtLeast(seen.length, 3)
        assert.isTrue(seen.every((store) => store === undefined), String(seen))
      })),
      Effect.provide(Logger.layer([logger])),
      ownRegistry,
      (program) => Effect.promise(() => storage.run("a request", () => Effect.runPromise(program)))
    )
  })

  it.live("a pool's threads, queue, times and outcomes are metrics tagged with its key", () =>
    withPool({ maxThreads: 1 }, (pool) =>
      Effect.gen(function*() {
        const gate = Gate.make()
        yield* pool.run(tasks.add, 1, 1)
        yield* reasonOf(pool.run(tasks.promised))
        const held = yield* pool.spawn(tasks.hold, gate, 1)
        yield* Gate.arrived(gate)
        const queued = yield* pool.spawn(tasks.add, 1, 1)

        const snapshot = yield* Metric.snapshot
        const read = (id: string, outcome?: string) => {
          const found = snapshot.find((metric) =>
            metric.id === `effect_blocking_${id}` && metric.attributes?.["outcome"] === outcome
          )
          assert.strictEqual(found?.attributes?.["pool"], "test", id)
          return found!.state as object
        }
        assert.deepStrictEqual(read("threads"), { value: 1 })
        assert.deepStrictEqual(read("threads_idle"), { value: 0 })
        assert.deepStrictEqual(read("threads_stuck"), { value: 0 })
        assert.deepStrictEqual(read("tasks_running"), { value: 1 })
        assert.deepStrictEqual(read("queue_depth"), { value: 1 })
        assert.deepStrictEqual(read("submitters_suspended"), { value: 0 })
        assert.deepInclude(read("tasks_total", "Succeeded"), { count: 1 })
        assert.deepInclude(read("tasks_total", "NotCloneable"), { count: 1 })
        assert.deepInclude(read("tasks_total", "Panicked"), { count: 0 })
        assert.deepInclude(read("queue_wait_millis"), { count: 2 })
        assert.deepInclude(read("run_time_millis"), { count: 2 })

        Gate.open(gate)
        yield* held.join
        yield* queued.join
      })).pipe(ownRegistry))

  it.live("they appear on a Prometheus page, and disappear with the pool", () =>
    Effect.gen(function*() {
      const page = yield* withPool({ maxThreads: 1 }, (pool) =>
        Effect.andThen(pool.run(tasks.add, 1, 1), PrometheusMetrics.format()))
      assert.match(page, /# TYPE effect_blocking_queue_depth gauge/)
      assert.match(page, /effect_blocking_tasks_total\{[^}]*outcome="Succeeded"[^}]*\} 1/)
      assert.match(page, /effect_blocking_run_time_millis_bucket\{[^}]*le="1000"[^}]*\} 1/)
      assert.notInclude(yield* PrometheusMetrics.format(), "effect_blocking_threads")
    }).pipe(ownRegistry))
})

describe("spans", () => {
  const recorder = () => {
    const spans: Array<Tracer.NativeSpan> = []
    const tracer = Tracer.make({
      span: (options) => {
        const span = new Tracer.NativeSpan(options)
        spans.push(span)
        return span
      }
    })
    return { spans, withTracer: Effect.provideService(Tracer.Tracer, tracer) }
  }

  it.live("a task has a span, a child of its caller's, with waits, times and thread", () =>
    withPool({ maxThreads: 1 }, (pool) => {
      const { spans, withTracer } = recorder()
      return Effect.gen(function*() {
        const add = Task.with(tasks.add, { attributes: { tenant: "blue" } })
        yield* Effect.withSpan(pool.run(add, 1, 1), "caller")
        yield* Effect.withSpan(reasonOf(pool.run(tasks.promised)), "caller")
        assert.deepStrictEqual(spans.map((span) => span.name), ["caller", "task add", "caller", "task promised"])
        const [caller, task, , failed] = spans
        assert.strictEqual(task!.parent._tag === "Some" && task!.parent.value.spanId, caller!.spanId)
        const attributes = Object.fromEntries(task!.attributes)
        assert.deepInclude(attributes, {
          tenant: "blue",
          "blocking.pool": "test",
          "blocking.task": "add",
          "blocking.task_id": 1
        })
        for (const name of ["queue_wait_millis", "run_time_millis", "thread_id"]) {
          assert.isNumber(attributes[`blocking.${name}`])
        }
        const failure = failed!.status
        assert.isTrue(failure._tag === "Ended" && failure.exit._tag === "Failure")
      }).pipe(withTracer)
    }))

  it.live("an untraced caller gets no span", () =>
    withPool({ maxThreads: 1 }, (pool) => {
      const { spans, withTracer } = recorder()
      return Effect.gen(function*() {
        yield* pool.run(tasks.add, 1, 1)
        assert.lengthOf(spans, 0)
      }).pipe(withTracer)
    }))

  it.live("spans reach an OTLP endpoint", () =>
    Effect.gen(function*() {
      const bodies = yield* Queue.unbounded<string>()
      const server = yield* Effect.acquireRelease(
        Effect.callback<ReturnType<typeof createServer>>((resume) => {
          const server = createServer((request: IncomingMessage, response) => {
            let body = ""
            request.on("data", (chunk: Buffer) => {
              body += chunk.toString()
            })
            request.on("end", () => {
              Queue.offerUnsafe(bodies, body)
              response.end("{}")
            })
          })
          server.listen(0, "127.0.0.1", () => resume(Effect.succeed(server)))
        }),
        (server) => Effect.sync(() => server.close())
      )
      const { port } = server.address() as AddressInfo
      const tracing = OtlpTracer.layer({
        url: `http://127.0.0.1:${port}/v1/traces`,
        resource: { serviceName: "test" }
      }).pipe(Layer.provide(OtlpSerialization.layerJson), Layer.provide(NodeHttpClient.layerNodeHttp))
      // The layer exports its spans when it closes.
      yield* withPool({ maxThreads: 1 }, (pool) => Effect.withSpan(pool.run(tasks.add, 1, 1), "request")).pipe(
        Effect.provide(tracing)
      )
      const exported = JSON.parse(yield* Queue.take(bodies))
      const spans: ReadonlyArray<{ readonly name: string; readonly spanId: string; readonly parentSpanId?: string }> =
        exported.resourceSpans[0].scopeSpans[0].spans
      const request = spans.find((span) => span.name === "request")
      const task = spans.find((span) => span.name === "task add")
      assert.isDefined(request)
      assert.strictEqual(task?.parentSpanId, request!.spanId)
    }))
})
