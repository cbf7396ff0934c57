import type { Watchdog } from "@effect-blocking/devtools"
import { assert, describe, it } from "@effect/vitest"
import { Effect } from "effect"
import { type ChildProcess, execFileSync } from "node:child_process"
import { mkdirSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from "node:fs"
import { tmpdir } from "node:os"
import { join } from "node:path"
import { fileURLToPath, pathToFileURL } from "node:url"
import { rolldown } from "rolldown"
import { type Options, run } from "../../platform-node/test/utils/program.ts"
import { windows } from "../../platform-node/test/utils/windows.ts"

const fixture = new URL("./fixtures/stalls.ts", import.meta.url)
const culprits = fileURLToPath(new URL("./fixtures/culprits.ts", import.meta.url))

type Reported = Watchdog.Stall & { readonly name: string; readonly took: number }

interface Printed {
  readonly stalls: ReadonlyArray<Reported>
  readonly events: ReadonlyArray<{ readonly span: string; readonly event: string; readonly attributes: object }>
  readonly metrics: ReadonlyArray<object>
  /** The text of the log. */
  readonly log: string
  readonly stderr: string
}

/** Runs the program that blocks its event loop in these ways. */
const blocks = (names: ReadonlyArray<string>, options?: Options, program = fixture) =>
  Effect.map(run(program.href, { ...options, argv: names }), ({ code, stderr, stdout }): Printed => {
    assert.strictEqual(code, 0, `${stdout}${stderr}`)
    const lines = stdout.split("\n")
    const json = lines.filter((line) => line.startsWith("{")).map((line) => JSON.parse(line) as object)
    return {
      stalls: json.filter((line) => "took" in line) as unknown as ReadonlyArray<Reported>,
      events: json.filter((line) => "event" in line) as unknown as Printed["events"],
      metrics: (json.at(-1) as { readonly metrics: ReadonlyArray<object> }).metrics,
      log: lines.filter((line) => !line.startsWith("{")).join("\n"),
      stderr
    }
  })

/** The line of the fixture that has that name in its comment. */
const lineOf = (name: string): number =>
  readFileSync(culprits, "utf8").split("\n").findIndex((line) => line.endsWith(`// line: ${name}`)) + 1

const assertNamed = (stall: Reported | undefined, name: string, stack: Watchdog.Stall["stack"]): void => {
  assert.deepInclude(stall, { name, stack })
  assert.deepInclude(stall!.site, { name, kind: "Program", line: lineOf(name) })
  assert.match(stall!.site!.path, /test\/fixtures\/culprits\.ts$/)
  assert.strictEqual(stall!.site!.url, pathToFileURL(culprits).href)
}

/** Its length is the time that it took, give or take a period, less the time that was subtracted. */
const assertLength = ({ millis, took }: Reported): void => {
  assert.isAtLeast(millis, 100)
  // The end is seen at the next heartbeat, which a busy machine delays.
  assert.isAtMost(millis, took + 1000)
}

// Each needs a processor, and measures time: concurrent tests would starve each other.
describe("Watchdog", { concurrent: false }, () => {
  it.live("W1: loops and regular expressions are named by the line, while they block the event loop", () =>
    Effect.gen(function*() {
      const { events, log, metrics, stalls } = yield* blocks(["spin", "backtrack", "spin"])
      assert.lengthOf(stalls, 3)
      assertNamed(stalls[0], "spin", "While")
      assertNamed(stalls[1], "backtrack", "While")
      assertNamed(stalls[2], "spin", "While")
      for (const stall of stalls) assertLength(stall)

      // Once per call site, with the advice and the stack.
      const site = `spin \\(.*culprits\\.ts:${lineOf("spin")}:\\d+\\)`
      assert.lengthOf(log.match(/WARN/g)!, 2, log)
      assert.match(
        log,
        new RegExp(`The event loop was blocked for [\\d.]+ m?s by ${site}\\. Run it on a pool: .*Blocking\\.run`)
      )
      assert.match(log, new RegExp(`\\n {4}at ${site}\\n {4}at `))

      // An event of the span that was active.
      assert.deepStrictEqual(events.map(({ event, span }) => [span, event]), [
        ["request spin", "event loop blocked"],
        ["request backtrack", "event loop blocked"],
        ["request spin", "event loop blocked"]
      ])
      assert.property(events[0]!.attributes, "blocked.millis")
      assert.match(JSON.stringify(events[0]!.attributes), new RegExp(`culprits\\.ts:${lineOf("spin")}:\\d+"`))

      // The metric counts all of them.
      assert.lengthOf(metrics, 2)
      const counts = metrics.map((metric) => (metric as { readonly state: { readonly count: number } }).state.count)
      assert.deepStrictEqual(counts.sort(), [1, 2])
    }))

  it.live.skipIf(windows)(
    "W1: blocking calls of Node are named by the line of the call, and marked so",
    () =>
      Effect.gen(function*() {
        const folder = mkdtempSync(join(tmpdir(), "effect-blocking-"))
        yield* Effect.addFinalizer(() => Effect.sync(() => rmSync(folder, { recursive: true })))
        const fifo = join(folder, "fifo")
        execFileSync("mkfifo", [fifo])
        const { log, stalls } = yield* blocks(["derive", "readSlowly", "compress"], { env: { fifo } })
        assert.lengthOf(stalls, 3)
        for (const stall of stalls) {
          assertLength(stall)
          // On a busy machine a capture can be too expensive for the stall.
          if (stall.stack !== "NotTaken") assertNamed(stall, stall.name, "After")
        }
        assert.strictEqual(stalls[0]!.stack, "After", "the longest of them")
        assert.match(
          log,
          /by derive \(.*\), in scryptSync of node:crypto; the stack was taken when the call returned\./
        )
      })
  )

  it.live("W1: JSON.parse of 100 MB is reported with its length, and never with a wrong name", () =>
    Effect.gen(function*() {
      const { events, stalls } = yield* blocks(["parse", "handle", "parseMany"])
      assert.lengthOf(stalls, 3)
      for (const stall of stalls) assertLength(stall)
      for (const { frames, site, stack } of stalls.slice(0, 2)) {
        assert.oneOf(stack, ["Unknown", "NotTaken"])
        assert.deepStrictEqual([frames, site], [[], undefined])
      }
      assert.isAtLeast(stalls[0]!.millis, 100)
      // The caller of many short calls is known, if they last long enough.
      if (stalls[2]!.site !== undefined) assert.deepInclude(stalls[2]!.site, { name: "parseMany" })
      assert.notInclude(events.map(({ span }) => span), "request parse")
    }))

  it.live("W1: a stall that lasts is announced on stderr, while the program cannot log", () =>
    Effect.gen(function*() {
      const folder = mkdtempSync(join(tmpdir(), "effect-blocking-"))
      yield* Effect.addFinalizer(() => Effect.sync(() => rmSync(folder, { recursive: true })))
      const file = join(folder, "seen")
      // It goes on until it was announced.
      const { stalls, stderr } = yield* blocks(["spinUntil"], {
        env: { file },
        onStart: ({ stderr }) =>
          stderr!.on("data", (text) => String(text).includes("still is") && writeFileSync(file, ""))
      })
      assert.match(
        stderr,
        new RegExp(
          `^effect-blocking: the event loop has been blocked for \\d+\\.\\d\\d s and still is, by spinUntil \\(.*culprits\\.ts:${
            lineOf("spinUntil")
          }:\\d+\\)`,
          "m"
        )
      )
      // It is in `existsSync` most of the time, so the stack can be of either kind.
      assertNamed(stalls[0], "spinUntil", stalls[0]!.stack)
      assert.isAtMost(stalls[0]!.millis, 29_000)
    }))

  it.live("W1: in a bundle with a source map, positions are those of the sources", () =>
    Effect.gen(function*() {
      // Within the repository, where packages are found, and not within one of them.
      const cache = fileURLToPath(new URL("../dist", import.meta.url))
      mkdirSync(cache, { recursive: true })
      const folder = mkdtempSync(join(cache, "watchdog-"))
      yield* Effect.addFinalizer(() => Effect.sync(() => rmSync(folder, { recursive: true })))
      yield* Effect.promise(async () => {
        const build = await rolldown({ input: fileURLToPath(fixture), platform: "node", external: /^(?![./])/ })
        await build.write({ dir: folder, format: "es", sourcemap: true, minify: true, entryFileNames: "bundle.js" })
      })
      const { stalls } = yield* blocks(["spin"], undefined, pathToFileURL(join(folder, "bundle.js")))
      const { frames, site } = stalls[0]!
      assert.deepInclude(site, { kind: "Program", line: lineOf("spin"), url: pathToFileURL(culprits).href })
      assert.include(frames.map(({ url }) => url), fixture.href)
    }))

  it.live.skipIf(windows)("W2: a process that is stopped and continued is no alarm", () =>
    Effect.gen(function*() {
      const stopped = (child: ChildProcess, millis: number): void => {
        child.kill("SIGSTOP")
        setTimeout(() => child.kill("SIGCONT"), millis)
      }
      const { code, stdout } = yield* run(new URL("./fixtures/watched.ts", import.meta.url).href, {
        onStdout: (text, child) => {
          if (text.startsWith("watching")) stopped(child, 500)
        }
      })
      assert.deepStrictEqual([code, stdout.trim().split("\n")], [0, ["watching", "ended without a stall"]])
    }))

  it.live("W2: a breakpoint of an inspector is no alarm", () =>
    Effect.gen(function*() {
      let socket: WebSocket | undefined
      const pause = (url: string): void => {
        socket = new WebSocket(url)
        const post = (id: number, method: string): void => socket!.send(JSON.stringify({ id, method }))
        socket.addEventListener("open", () => {
          post(1, "Debugger.enable")
          post(2, "Debugger.pause")
        })
        socket.addEventListener("message", ({ data }) => {
          if (String(data).includes("Debugger.paused")) setTimeout(() => post(3, "Debugger.resume"), 500)
          if (String(data).includes("Debugger.resumed")) socket!.close()
        })
      }
      const { code, stderr, stdout } = yield* run(new URL("./fixtures/watched.ts", import.meta.url).href, {
        args: ["--inspect=0"],
        onStart: ({ stderr, stdout }) => {
          let url = ""
          stderr!.on("data", (text) => url ||= /ws:\S+/.exec(String(text))?.[0] ?? "")
          stdout!.on("data", (text) => String(text).startsWith("watching") && pause(url))
        }
      })
      assert.deepStrictEqual([code, stdout.trim().split("\n")], [0, ["watching", "ended without a stall"]])
      assert.notInclude(stderr, "still is")
    }))

  it.live("W3: nothing remains that slows the program down, or delays its exit", () =>
    Effect.gen(function*() {
      const { code, stderr, stdout } = yield* run(new URL("./fixtures/watched.ts", import.meta.url).href, {
        argv: ["exit"]
      })
      assert.strictEqual(code, 7, stderr)
      assert.include(stdout, "watching")
      assert.notInclude(stderr, "Waiting for the debugger")
    }))
})
