import { ClusterPool, ClusterStorage } from "@effect-blocking/cluster"
import { NodeBlocking } from "@effect-blocking/platform-node"
import { SqliteClient } from "@effect-blocking/sqlite"
import { assert, describe, it } from "@effect/vitest"
import { Effect, Layer } from "effect"
import { Farm } from "./utils/farms.ts"

/** The error of a layer, none of whose resources is needed. */
const errorOf = <A, E>(layer: Layer.Layer<A, E, ClusterStorage.ClusterStorage>) =>
  Effect.gen(function*() {
    const error = yield* Effect.flip(Effect.scoped(Layer.build(Layer.provide(layer, ClusterStorage.layerMemory))))
    assert.instanceOf(error, ClusterPool.InvalidOptions)
    return error
  })

/** As from JavaScript, where no type refuses them. */
const untyped = (options: object) => options as never

const runnerError = (options: object) =>
  errorOf(Layer.provide(Farm.layerRunner(untyped(options)), Layer.orDie(NodeBlocking.layer())))

const storageError = (options: object, layer = ClusterStorage.layerSql(untyped(options))) =>
  errorOf(Layer.provide(layer, Layer.orDie(SqliteClient.layer({ filename: ":memory:" }))))

const wrong: ReadonlyArray<readonly [options: object, option: string, message: string]> = [
  [{ concurrency: 0 }, "concurrency", "an integer of at least 1, not 0"],
  [{ concurrency: 1.5 }, "concurrency", "an integer of at least 1, not 1.5"],
  [{ maxAttempts: 0 }, "maxAttempts", "an integer of at least 1, not 0"],
  [{ maxAttempts: "3" }, "maxAttempts", "an integer of at least 1, not '3'"],
  [{ maxPayload: NaN }, "maxPayload", "an integer of at least 1, not NaN"],
  [{ shutdownTimeout: Infinity }, "shutdownTimeout", "a finite duration, such as \"2 seconds\", not Infinity"],
  [{ shutdownTimeout: -1 }, "shutdownTimeout", "a finite duration, such as \"2 seconds\", not -1"],
  [{ incompatibleTimeout: NaN }, "incompatibleTimeout", "a duration, such as \"2 seconds\", not NaN"],
  [
    { shutdownTimeout: { seconds: NaN } },
    "shutdownTimeout",
    "a finite duration, such as \"2 seconds\", not { seconds: NaN }"
  ],
  [{ shutdownTimeout: null }, "shutdownTimeout", "a finite duration, such as \"2 seconds\", not null"],
  [{ patience: "soon" }, "patience", "a duration, such as \"2 seconds\", not 'soon'"],
  [{ listen: true }, "listen", "an object, such as { port: 34500 }, or false, not true"],
  [{ listen: { port: 70_000 } }, "listen.port", "an integer from 0 to 65535, not 70000"],
  [{ listen: { port: -1 } }, "listen.port", "an integer from 0 to 65535, not -1"],
  [{ listen: { transport: "http" } }, "listen.transport", "\"tcp\" or \"websocket\", not 'http'"],
  [{ listen: { host: "" } }, "listen.host", "the name or the IP address of an interface, not ''"],
  [
    { listen: { host: "127.0.0.1:80" } },
    "listen.host",
    "the name or the IP address of an interface, not '127.0.0.1:80'"
  ],
  [{ listen: { advertise: "ws://farm" } }, "listen.advertise", "a host without a scheme and a port, not 'ws://farm'"],
  [{ listen: { advertise: "farm:80" } }, "listen.advertise", "a host without a scheme and a port, not 'farm:80'"],
  [
    { listen: { advertise: "http://farm", transport: "websocket" } },
    "listen.advertise",
    "a host without a scheme and a port, or a URL that begins with ws:// or wss://, not 'http://farm'"
  ],
  [
    { listen: { host: "0.0.0.0" } },
    "listen.advertise",
    "the host that other programs connect to: they cannot connect to 0.0.0.0, not undefined"
  ],
  [
    { listen: { host: "::" } },
    "listen.advertise",
    "the host that other programs connect to: they cannot connect to ::, not undefined"
  ]
]

describe("options of a farm", () => {
  for (const [options, option, message] of wrong) {
    it.effect(`N2: ${JSON.stringify(options)} is refused`, () =>
      Effect.gen(function*() {
        const error = yield* runnerError(options)
        assert.strictEqual(error.option, option)
        assert.strictEqual(error.message, `Option ${option} of layerRunner of farm "test/Farm" must be ${message}`)
      }))
  }

  it.effect("N2: an option that does not exist is refused, and so are options that are no object", () =>
    Effect.gen(function*() {
      const unknown = yield* runnerError({ concurency: 2 })
      assert.strictEqual(
        unknown.message,
        "layerRunner of farm \"test/Farm\" has no option \"concurency\": it has pool, concurrency, maxAttempts, " +
          "retrySchedule, shutdownTimeout, incompatibleTimeout, maxPayload, listen, patience"
      )
      assert.strictEqual(
        (yield* errorOf(Farm.layerClient(untyped([])))).message,
        "The options of layerClient of farm \"test/Farm\" must be an object, not []"
      )
      assert.match((yield* errorOf(Farm.layerClient(untyped({ concurrency: 1 })))).message, /has maxPayload, patience$/)
      const local = Layer.provide(Farm.layerLocal(untyped({ listen: {} })), Layer.orDie(NodeBlocking.layer()))
      assert.match((yield* errorOf(local)).message, /^layerLocal of farm "test\/Farm" has no option "listen"/)
    }))

  it.effect("N3: a storage refuses a lock that its database cannot keep, and a prefix that cannot begin a table's name", () =>
    Effect.gen(function*() {
      for (const lockExpiration of [0, "1500 millis", NaN]) {
        assert.strictEqual((yield* storageError({ lockExpiration })).option, "lockExpiration")
      }
      assert.strictEqual(
        (yield* storageError({ lockExpiration: "500 millis" })).message,
        "Option lockExpiration of ClusterStorage.layerSql must be a duration of one or more whole seconds, not '500 millis'"
      )
      assert.strictEqual((yield* storageError({ prefix: "a b" })).option, "prefix")
      assert.strictEqual((yield* storageError({ pollInterval: -1 })).option, "pollInterval")
      assert.strictEqual((yield* storageError({ timeToLive: Infinity })).option, "timeToLive")
    }))

  it.live("N2: a value of undefined is the default, and every right value is taken", () =>
    Effect.gen(function*() {
      const layer = Farm.layerRunner({
        pool: undefined,
        concurrency: undefined,
        maxAttempts: 1,
        retrySchedule: undefined,
        shutdownTimeout: 0,
        incompatibleTimeout: Infinity,
        maxPayload: 1,
        patience: Infinity,
        listen: { host: "127.0.0.1", port: 0, transport: "websocket", advertise: "wss://farm.example/runner" }
      }).pipe(
        Layer.provide(NodeBlocking.layer()),
        Layer.provide(ClusterStorage.layerMemory)
      )
      const stats = yield* Effect.provide(Farm.stats, layer)
      assert.deepInclude(stats.runners[0], { host: "wss://farm.example/runner" })
      const other = Farm.layerRunner({ listen: { host: "0.0.0.0", advertise: "fd00::7" } }).pipe(
        Layer.provide(NodeBlocking.layer()),
        Layer.provide(ClusterStorage.layerMemory)
      )
      assert.deepInclude((yield* Effect.provide(Farm.stats, other)).runners[0], { host: "fd00::7" })
    }))
})
