/** Calls over each transport. */
import { assert, describe, it } from "@effect/vitest"
import { Effect, Exit, Fiber, Layer, Scope } from "effect"
import { createServer, request } from "node:http"
import { join } from "node:path"
import * as tasks from "./fixtures/tasks.ts"
import { client, Farm, folder, linesOf, open, reasonOf, runner, until } from "./utils/farms.ts"

describe.each(["tcp", "websocket"] as const)("a runner over %s", { concurrent: false }, (transport) => {
  const layer = (directory: string, options?: { readonly advertise?: string; readonly port?: number }) =>
    runner(directory, { listen: { transport, ...options } })

  it.live("N5: takes calls and submitted tasks from programs without an option for it", () =>
    Effect.gen(function*() {
      const directory = yield* folder
      const [log, gate] = [join(directory, "log"), join(directory, "gate")]
      yield* Layer.build(Layer.fresh(layer(directory)))
      yield* Effect.gen(function*() {
        assert.strictEqual(yield* Farm.run(tasks.square, 7), 49)
        assert.instanceOf(yield* Effect.flip(Farm.run(tasks.square, -1)), tasks.TooSmall)
        const name = "x".repeat(900_000)
        yield* open(gate)
        assert.strictEqual(yield* Farm.run(tasks.gated, { log, gate, name }), `${name} 1`)
        const receipt = yield* Farm.submit(tasks.square, 8, { key: "eight" })
        assert.strictEqual(yield* receipt.await, 64)
        const { runners: [listed] } = yield* Farm.stats
        assert.strictEqual(listed!.host.startsWith("ws://127.0.0.1:"), transport === "websocket")
      }).pipe(Effect.provide(client(directory)))
    }))

  it.live("N4: an interruption reaches the body", () =>
    Effect.gen(function*() {
      const directory = yield* folder
      const [log, gate] = [join(directory, "log"), join(directory, "gate")]
      yield* Layer.build(Layer.fresh(layer(directory)))
      yield* Effect.gen(function*() {
        const fiber = yield* Effect.forkChild(Farm.run(tasks.gated, { log, gate, name: "a" }))
        yield* until(() => linesOf(log).length === 1)
        yield* Fiber.interrupt(fiber)
        yield* until(() => linesOf(log).length === 2)
        assert.deepStrictEqual(linesOf(log), ["a 1", "a stopped"])
      }).pipe(Effect.provide(client(directory)))
    }))

  it.live("N4: the end of the calling program stops the body, and a runner that ends first fails the call typed", () =>
    Effect.gen(function*() {
      const directory = yield* folder
      const [log, gate] = [join(directory, "log"), join(directory, "gate")]
      const scope = yield* Scope.make()
      yield* Layer.buildWithScope(Layer.fresh(layer(directory)), scope)
      const call = (name: string) => Farm.run(tasks.gated, { log, gate, name })
      const caller = yield* Scope.make()
      const context = yield* Layer.buildWithScope(Layer.fresh(client(directory)), caller)
      const ended = yield* Effect.forkChild(Effect.exit(Effect.provideContext(call("a"), context)))
      yield* until(() => linesOf(log).length === 1)
      yield* Scope.close(caller, Exit.void)
      yield* until(() => linesOf(log).includes("a stopped"))
      yield* Fiber.interrupt(ended)
      yield* Effect.gen(function*() {
        const fiber = yield* Effect.forkChild(reasonOf(call("b")))
        yield* until(() => linesOf(log).includes("b 1"))
        yield* Scope.close(scope, Exit.void)
        const { _tag } = yield* Fiber.join(fiber)
        assert.strictEqual(_tag, "RunnerLost")
      }).pipe(Effect.provide(client(directory)))
    }))
})

describe("a runner over a WebSocket", () => {
  it.live("N5: is called at the URL that it advertises, here of a proxy", () =>
    Effect.gen(function*() {
      const directory = yield* folder
      const paths: Array<string> = []
      let target = 0
      const proxy = yield* Effect.acquireRelease(
        Effect.callback<ReturnType<typeof createServer>>((resume) => {
          const server = createServer()
          server.on("upgrade", ({ headers, url }, socket) => {
            paths.push(url!)
            const up = request({ port: target, host: "127.0.0.1", headers, path: "/" }).end()
            up.on("upgrade", ({ rawHeaders }, other) => {
              const lines = rawHeaders.flatMap((name, i) => i % 2 === 0 ? [`${name}: ${rawHeaders[i + 1]}`] : [])
              socket.write(`HTTP/1.1 101 Switching Protocols\r\n${lines.join("\r\n")}\r\n\r\n`)
              socket.pipe(other).pipe(socket)
              for (const end of [socket, other]) end.on("error", () => {})
            })
          })
          server.listen(0, "127.0.0.1", () => resume(Effect.succeed(server)))
        }),
        (server) =>
          Effect.sync(() => {
            server.close()
            server.closeAllConnections()
          })
      )
      const { port } = proxy.address() as { readonly port: number }
      const advertise = `ws://127.0.0.1:${port}/runner-1`
      const context = yield* Layer.build(
        Layer.fresh(runner(directory, { listen: { transport: "websocket", advertise } }))
      )
      const { runners: [listed] } = yield* Effect.provideContext(Farm.stats, context)
      assert.deepInclude(listed, { host: advertise })
      target = listed!.port
      assert.strictEqual(yield* Effect.provide(Farm.run(tasks.square, 7), client(directory)), 49)
      assert.deepStrictEqual(new Set(paths), new Set(["/runner-1"]))
    }))
})
