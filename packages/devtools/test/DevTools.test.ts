/** Effect's own DevTools: its protocol shows what pools do, without anything of ours. */
import { NodeBlocking } from "@effect-blocking/platform-node"
import { NodeSocketServer } from "@effect/platform-node"
import { assert, describe, it } from "@effect/vitest"
import { Effect, Layer, Metric, Queue } from "effect"
import { Blocking } from "effect-blocking"
import { DevTools, DevToolsServer } from "effect/devtools"
import type { DevToolsSchema } from "effect/devtools"
import { SocketServer } from "effect/socket"
import * as tasks from "./fixtures/load.ts"

describe("Effect's DevTools", () => {
  it.live("W6: its protocol shows tasks as spans, with their queue wait and thread, and all metrics of pools", () =>
    Effect.gen(function*() {
      const clients = yield* Queue.unbounded<DevToolsServer.Client>()
      const server = yield* SocketServer.SocketServer
      yield* Effect.forkScoped(
        DevToolsServer.run((client) => Effect.andThen(Queue.offer(clients, client), Effect.never))
      )
      const { port } = server.address as unknown as { readonly port: number }

      yield* Effect.gen(function*() {
        const client = yield* Queue.take(clients)
        yield* Effect.withSpan(Blocking.run(tasks.quick, 1), "request")
        yield* Effect.exit(Effect.withSpan(Blocking.run(tasks.panics), "request"))

        const spans: Array<DevToolsSchema.Span> = []
        while (spans.length < 2) {
          const request = yield* Queue.take(client.queue)
          if (request._tag === "Span" && request.status._tag === "Ended" && request.name.startsWith("task ")) {
            spans.push(request)
          }
        }
        assert.deepStrictEqual(spans.map(({ name }) => name), ["task quick", "task <img src=x onerror=alert(1)>"])
        const [quick] = spans
        assert.propertyVal(quick!.parent, "_tag", "Some")
        for (const name of ["blocking.pool", "blocking.task", "blocking.thread_id", "blocking.queue_wait_millis"]) {
          assert.isTrue(quick!.attributes.has(name), name)
        }

        yield* client.send({ _tag: "MetricsRequest" })
        let metrics: ReadonlyArray<DevToolsSchema.Metric> | undefined
        while (metrics === undefined) {
          const request = yield* Queue.take(client.queue)
          if (request._tag === "MetricsSnapshot") metrics = request.metrics
        }
        const names = new Set(metrics.map(({ id }) => id).filter((id) => id.startsWith("effect_blocking_")))
        for (
          const name of ["threads", "queue_depth", "tasks_total", "queue_wait_millis", "run_time_millis", "stops_total"]
        ) {
          assert.include([...names].join(" "), name)
        }
      }).pipe(Effect.provide(Layer.mergeAll(NodeBlocking.layer(), DevTools.layer(`ws://127.0.0.1:${port}`))))
    }).pipe(
      Effect.scoped,
      Effect.provide(NodeSocketServer.layerWebSocket({ port: 0, host: "127.0.0.1" })),
      (test) => Effect.suspend(() => Effect.provideService(test, Metric.MetricRegistry, new Map()))
    ))
})
