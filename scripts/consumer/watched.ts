import { LiveView, Watchdog } from "@effect-blocking/devtools"
import { NodeBlocking } from "@effect-blocking/platform-node"
import { Console, Effect, Fiber, Layer, Logger, Option, Stream } from "effect"

const spin = (millis: number) => {
  const end = performance.now() + millis
  while (performance.now() < end);
}

let address = ""
const logger = Logger.make(({ message }) => {
  address ||= /http:\S+/.exec(String(message))?.[0] ?? ""
})

NodeBlocking.runMain(
  Effect.gen(function*() {
    const first = yield* Effect.forkChild(Stream.runHead(Watchdog.stalls), { startImmediately: true })
    yield* Effect.sync(() => spin(4000))
    const stall = Option.getOrThrow(yield* Fiber.join(first))
    const files = ["", "app.js", "words.js", "style.css", "snapshot"]
    const statuses = yield* Effect.forEach(
      files,
      (file) => Effect.promise(() => fetch(`${address}${file}`).then(({ status }) => status))
    )
    yield* Console.log(`${stall.site?.name} | ${statuses.join(" ")}`)
  }).pipe(
    Effect.provide(
      Layer.mergeAll(Watchdog.layer({ announceAfter: Infinity }), LiveView.layer({ port: 0 }), NodeBlocking.layer())
    ),
    Effect.provide(Logger.layer([logger]))
  )
)
