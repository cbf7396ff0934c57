/** `effect-blocking top`: the live view of another program, in a terminal. */
import * as Argument from "effect/cli/Argument"
import * as Command from "effect/cli/Command"
import * as Flag from "effect/cli/Flag"
import * as Console from "effect/Console"
import * as Effect from "effect/Effect"
import * as Fiber from "effect/Fiber"
import * as HttpClient from "effect/http/HttpClient"
import * as HttpClientResponse from "effect/http/HttpClientResponse"
import * as Queue from "effect/Queue"
import * as Runtime from "effect/Runtime"
import * as Schema from "effect/Schema"
import * as Stream from "effect/Stream"
import * as Terminal from "effect/Terminal"
import type { Snapshot } from "./snapshot.ts"
import { render } from "./terminal.ts"

/** The address does not answer, or is not that of a live view. */
export class NotThere extends Schema.TaggedError<NotThere>("@effect-blocking/devtools/NotThere")("NotThere", {
  url: Schema.String,
  cause: Schema.Defect()
}) {
  override readonly [Runtime.errorExitCode] = 1
  override readonly [Runtime.errorReported] = false
  override get message(): string {
    return `There is no live view at ${this.url}: is the program running, with LiveView.layer()?`
  }
}

/** All snapshots until the program ends. */
const snapshots = (url: URL) =>
  Stream.unwrap(Effect.map(
    HttpClient.get(new URL("/events", url)).pipe(Effect.flatMap(HttpClientResponse.filterStatusOk)),
    ({ stream }) => stream
  )).pipe(
    Stream.decodeText(),
    Stream.splitLines,
    Stream.filter((line) => line.startsWith("data: ")),
    Stream.map((line) => JSON.parse(line.slice("data: ".length)) as Snapshot),
    Stream.mapError((cause) => new NotThere({ url: url.href, cause }))
  )

const snapshot = (url: URL): Effect.Effect<Snapshot, NotThere, HttpClient.HttpClient> =>
  HttpClient.get(new URL("/snapshot", url)).pipe(
    Effect.flatMap(HttpClientResponse.filterStatusOk),
    Effect.flatMap(({ json }) => json),
    Effect.map((json) => json as unknown as Snapshot),
    Effect.timeout(answerMillis),
    Effect.mapError((cause) => new NotThere({ url: url.href, cause }))
  )

/** Arbitrary: a program that blocks its event loop answers only afterwards. */
const answerMillis = 10_000

/** The alternate screen, without a cursor. The shell's screen comes back at the end. */
const fullScreen = Effect.acquireRelease(
  Effect.flatMap(Terminal.Terminal, (terminal) => terminal.display("\u001b[?1049h\u001b[?25l")),
  () => Effect.ignore(Effect.flatMap(Terminal.Terminal, (terminal) => terminal.display("\u001b[?25h\u001b[?1049l")))
)

/** Ends when `q` is pressed; Ctrl-C interrupts. */
const quit = Effect.gen(function*() {
  const terminal = yield* Terminal.Terminal
  const input = yield* terminal.readInput
  while (true) {
    const { key } = yield* Queue.take(input)
    if (key.name === "q") return
  }
})

const watch = Effect.fnUntraced(function*(url: URL, colors: boolean) {
  const terminal = yield* Terminal.Terminal
  yield* fullScreen
  const shown = yield* Effect.forkChild(Stream.runForEach(snapshots(url), (snapshot) =>
    Effect.gen(function*() {
      const columns = yield* terminal.columns
      const rows = yield* terminal.rows
      const lines = render(snapshot, { columns, rows: rows - 1, colors })
      // Lines are overwritten in place, so nothing flickers.
      yield* terminal.display(
        `\u001b[H${lines.map((line) => `${line}\u001b[K\n`).join("")}\u001b[J\u001b[2mq: quit\u001b[22m`
      )
    })))
  yield* Effect.raceFirst(quit, Fiber.join(shown))
})

export const top = Command.make(
  "top",
  {
    url: Argument.String("url").pipe(
      Argument.withDescription("The address of the live view, as the program logs it"),
      Argument.withDefault("http://127.0.0.1:34438/"),
      Argument.withSchema(Schema.URLFromString)
    ),
    once: Flag.Boolean("once").pipe(Flag.withDescription("Print once, and exit"), Flag.withDefault(false))
  },
  Effect.fnUntraced(function*({ once, url }) {
    const { isTTY } = process.stdout
    const colors = isTTY && (process.env["NO_COLOR"] ?? "") === ""
    if (isTTY && !once) return yield* Effect.scoped(watch(url, colors))
    const columns = isTTY ? process.stdout.columns : 120
    yield* Console.log(render(yield* snapshot(url), { columns, rows: undefined, colors }).join("\n"))
  })
).pipe(
  Command.withDescription("Shows what the pools of a program do, while they do it"),
  Command.withExamples([
    { command: "effect-blocking top", description: "The program on this machine, at the default port" },
    { command: "effect-blocking top http://127.0.0.1:4000/ --once", description: "Once, for a file or a pipe" }
  ])
)

export const command = Command.make("effect-blocking").pipe(
  Command.withDescription("Tools for programs that use effect-blocking"),
  Command.withSubcommands([top])
)
