/** The thread's side: its channel, its start, its reports of errors, and modules that it loads again. */
import { assert, describe, it, vi } from "@effect/vitest"
import { Effect, Exit, Logger, Metric } from "effect"
import { Task } from "effect-blocking"
import * as ThreadHost from "effect-blocking/ThreadHost"
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from "node:fs"
import { tmpdir } from "node:os"
import { join } from "node:path"
import { fileURLToPath, pathToFileURL } from "node:url"
import * as options from "../src/internal/options.ts"
import { processHost } from "../src/internal/processHost.ts"
import { version } from "../src/internal/version.ts"
import { workerHost } from "../src/internal/workerHost.ts"
import { poll } from "./fixtures/native.ts"
import { early } from "./fixtures/postsEarly.ts"
import * as tasks from "./fixtures/tasks.ts"
import * as threadSide from "./fixtures/threadSide.ts"
import { closeable, reasonOf, withPool } from "./utils/pool.ts"
import * as Program from "./utils/program.ts"

const limit = { timeout: 40_000 }
vi.setConfig({ testTimeout: 20_000 })

const folder = Effect.acquireRelease(
  Effect.sync(() => mkdtempSync(join(import.meta.dirname, "fixtures", "loaded-"))),
  (path) => Effect.sync(() => rmSync(path, { recursive: true }))
)

const temporary = Effect.acquireRelease(
  Effect.sync(() => mkdtempSync(join(tmpdir(), "effect-blocking-"))),
  (path) => Effect.sync(() => rmSync(path, { recursive: true }))
)

const uncaughtErrors = Effect.map(
  Metric.snapshot,
  (all) =>
    all.filter(({ id }) => id === "effect_blocking_uncaught_errors_total").reduce(
      (sum, { state }) => sum + Number((state as { readonly count: number | bigint }).count),
      0
    )
)

// Each starts threads or processes: all at once, they would slow down other tests.
describe.each(["thread", "process"] as const)("%s", { concurrent: false }, (isolation) => {
  describe("channel", () => {
    it.live("F5: messages that a body posts by parentPort or process.send are ignored, whatever they look like", () =>
      Effect.gen(function*() {
        const { close, logged, pool } = yield* closeable({ isolation, maxThreads: 1 })
        const results = yield* Effect.forEach(
          Array.from({ length: 20 }, (_, n) => n),
          (n) => pool.run(threadSide.posts, n),
          { concurrency: 4 }
        )
        assert.deepStrictEqual(results, Array.from({ length: 20 }, (_, n) => ({ n })))
        assert.strictEqual((yield* pool.stats).threadsStarted, 1)
        yield* close
        assert.deepStrictEqual(logged, [])
      }))

    it.live("F5: messages that a module posts while it is preloaded are ignored", () =>
      Effect.gen(function*() {
        const { close, logged, pool } = yield* closeable({ isolation, maxThreads: 1, preload: [early] })
        assert.strictEqual(yield* pool.run(early), "loaded")
        yield* close
        assert.deepStrictEqual(logged, [])
      }))

    it.live("F5: a body that listens to the common channel, and closes it, harms nothing", () =>
      withPool({ isolation, maxThreads: 1 }, (pool) =>
        Effect.gen(function*() {
          const thread = yield* pool.run(tasks.whereAmI)
          assert.deepStrictEqual(yield* pool.run(threadSide.takesChannel), { done: true })
          assert.strictEqual(yield* pool.run(tasks.whereAmI), thread)
        })))
  })

  describe("a broken runner", () => {
    it.live.each(["now", "atomics", "arrays", "ports"] as const)(
      "F5: a body that breaks %s ends no other task, and no task waits for ever",
      (what) =>
        withPool({ isolation, maxThreads: 1 }, (pool) =>
          Effect.gen(function*() {
            const exit = yield* Effect.exit(pool.run(threadSide.breaks, what))
            if (Exit.isFailure(exit)) assert.match(String(exit), /WorkerExited/)
            assert.strictEqual(yield* pool.run(tasks.add, 1, 1), 2)
            assert.strictEqual(yield* pool.run(tasks.add, 1, 2), 3)
          }))
    )
  })

  describe("start", () => {
    it.live("a task does not see how its thread was started, and a thread that it starts is no pool thread", () =>
      withPool(
        { isolation, maxThreads: 1, env: { ...process.env, NODE_OPTIONS: "--no-deprecation" } },
        (pool) =>
          Effect.gen(function*() {
            assert.deepStrictEqual(yield* pool.run(threadSide.surroundings), {
              inPoolThread: true,
              inChild: "false",
              arguments: [],
              nodeOptions: "--no-deprecation",
              conditions: []
            })
          })
      ))

    it.live.each(["flag", "NODE_OPTIONS"] as const)(
      "P2: a preload by %s that runs a task runs it in the program, and is refused in the pool",
      (how) =>
        Effect.gen(function*() {
          const log = join(yield* temporary, "log")
          const preload = new URL("fixtures/preloaded.mjs", import.meta.url).href
          const { code, signal } = yield* Program.run("nothing.ts", {
            args: how === "flag" ? ["--import", preload] : [],
            env: {
              PRELOADED: log,
              ISOLATION: isolation,
              ...(how === "flag" ? {} : { NODE_OPTIONS: `--import=${preload}` })
            }
          })
          assert.deepStrictEqual({ code, signal }, { code: 0, signal: null })
          assert.deepStrictEqual(readFileSync(log, "utf8").split("\n"), [
            "load",
            "load",
            "true refused",
            "false Success",
            ""
          ])
        }),
      limit
    )

    it.live(
      "F4: a thread that finds another version refuses to start, and both are named",
      () =>
        Effect.gen(function*() {
          const { host, scheduler } = yield* options.resolve("test", { maxThreads: 1, isolation })
          const real = isolation === "process" ? processHost(host) : workerHost(host)
          const pool = yield* ThreadHost.makePool("test", {
            ...real,
            spawn: (options, events) => {
              const start = {
                ...options.start as object,
                version: { version: "9.9.9", protocol: 9, place: "file:///other" }
              }
              return real.spawn({ ...options, start }, events)
            }
          }, scheduler)
          const reason = yield* reasonOf(pool.run(tasks.add, 1, 1))
          assert.strictEqual(reason._tag, "SpawnFailed")
          const cause = String((reason as { readonly cause?: unknown }).cause)
          assert.match(
            cause,
            /Two versions of effect-blocking meet: \S+ \(file:.*\) and 9\.9\.9 \(file:\/\/\/other\)\. Install one/
          )
        }).pipe(Effect.scoped, Effect.provide(Logger.layer([]))),
      limit
    )
  })

  describe("uncaught errors", () => {
    it.live("F2: a rejection counts once, also in Node's strict mode", () =>
      Effect.gen(function*() {
        const { close, logged, pool } = yield* closeable({
          isolation,
          maxThreads: 1,
          execArgv: ["--unhandled-rejections=strict"]
        })
        yield* pool.run(threadSide.rejects, 1, 10)
        // Any report would have come before this result.
        yield* pool.run(tasks.whereAmI)
        yield* close
        assert.deepStrictEqual(logged.filter((line) => line.includes("Uncaught error on")).length, 1)
      }))

    it.live("F2: all of many errors are counted, and logged at a bounded rate and size", () =>
      Effect.gen(function*() {
        const before = yield* uncaughtErrors
        const { close, logged, pool } = yield* closeable({ isolation, maxThreads: 1 })
        yield* pool.run(threadSide.rejects, 500, 200_000)
        yield* Effect.repeat(uncaughtErrors, { until: (count) => count - before === 500, schedule: poll })
        yield* close
        assert.isAtMost(logged.length, 30)
        assert.match(logged.join("\n"), /\d+ more uncaught errors on pool thread \d+: only the first/)
        for (const line of logged) assert.isBelow(line.length, 150_000)
      }))

    it.live("E2: a panic that is too large arrives shortened", () =>
      withPool({ isolation, maxThreads: 1 }, (pool) =>
        Effect.gen(function*() {
          const reason = yield* reasonOf(pool.run(threadSide.panics, 40_000_000))
          assert.strictEqual(reason._tag, "Panicked")
          const { bytes, message } = (reason as { readonly thrown: Error & { readonly bytes: unknown } }).thrown
          assert.match(message, /^x{1000,}x \[\d+ more characters left out\]$/)
          assert.strictEqual(bytes, "[40000000 bytes left out]")
        })))
  })

  describe("modules that failed", () => {
    const module = (head: string): string =>
      `import { Task } from "effect-blocking"\nexport const first = Task.make(import.meta.url, "first", () => import.meta.url)\n${head}\n` +
      `export const t = Task.make(import.meta.url, "t", () => 7)\n`
    const throwing = (flag: string): string =>
      `import { existsSync } from "node:fs"\nif (!existsSync(${JSON.stringify(flag)})) throw new Error("not yet")\n`
    const taskOf = (path: string) => Task.make(pathToFileURL(path).href, "t", (): number => 7)

    it.live("F3: a module that threw is loaded again once the cause is gone, with what it imports", () =>
      withPool({ isolation, maxThreads: 1 }, (pool) =>
        Effect.gen(function*() {
          const path = yield* folder
          const flag = `${path}/flag`
          writeFileSync(`${path}/flaky.ts`, module(throwing(flag)))
          writeFileSync(`${path}/deep.ts`, throwing(flag))
          writeFileSync(`${path}/middle.ts`, `import "./deep.ts"\n`)
          writeFileSync(`${path}/healthy.ts`, `globalThis.loads = (globalThis.loads ?? 0) + 1\n`)
          writeFileSync(
            `${path}/imports.ts`,
            module(`import "./healthy.ts"\nimport "./middle.ts"\nimport "./flaky.ts"`)
          )
          writeFileSync(
            `${path}/other.ts`,
            module(
              `import "./imports.ts"\nif (globalThis.loads !== 1) throw new Error("loaded again: " + globalThis.loads)`
            )
          )
          writeFileSync(`${path}/syntax.ts`, module("const = 1"))
          const names = ["flaky", "imports", "syntax", "missing"]
          for (const name of names) {
            for (let i = 0; i < 2; i++) {
              assert.strictEqual((yield* reasonOf(pool.run(taskOf(`${path}/${name}.ts`))))._tag, "LoadFailed", name)
            }
          }
          writeFileSync(flag, "")
          writeFileSync(`${path}/syntax.ts`, module(""))
          writeFileSync(`${path}/missing.ts`, module(""))
          for (const name of [...names, "other"]) {
            assert.strictEqual(yield* pool.run(taskOf(`${path}/${name}.ts`)), 7, name)
          }
          assert.strictEqual((yield* pool.stats).threadsStarted, 1)
        }).pipe(Effect.scoped)))

    it.live("F3: a module that keeps failing is not loaded again without end", () =>
      withPool({ isolation, maxThreads: 1 }, (pool) =>
        Effect.gen(function*() {
          const path = yield* folder
          const loads = `${path}/loads`
          writeFileSync(
            `${path}/failing.ts`,
            module(
              `import { appendFileSync } from "node:fs"\nappendFileSync(${
                JSON.stringify(loads)
              }, "x")\nthrow new Error("never")`
            )
          )
          for (let i = 0; i < 40; i++) {
            const reason = yield* reasonOf(pool.run(taskOf(`${path}/failing.ts`)))
            assert.deepInclude(reason, { _tag: "LoadFailed", names: ["first"] })
          }
          assert.isBelow(readFileSync(loads, "utf8").length, 20)
        }).pipe(Effect.scoped)))

    it.live("F3: the module of a data: url is loaded again as well", () =>
      withPool({ isolation, maxThreads: 1 }, (pool) =>
        Effect.gen(function*() {
          const path = yield* folder
          const flag = `${path}/flag`
          const core = import.meta.resolve("effect-blocking/Task")
          const code = `import * as Task from ${JSON.stringify(core)}\n${
            throwing(flag)
          }Task.make(import.meta.url, "t", () => 7)`
          const task = Task.make(`data:text/javascript,${encodeURIComponent(code)}`, "t", (): number => 7)
          assert.strictEqual((yield* reasonOf(pool.run(task)))._tag, "LoadFailed")
          writeFileSync(flag, "")
          assert.strictEqual(yield* pool.run(task), 7)
        }).pipe(Effect.scoped)))
  })
})

describe("orphans", () => {
  it.live.each(["--require", "NODE_OPTIONS"] as const)(
    "a process ends with its program although a preload (%s) never ends",
    (how) =>
      Effect.gen(function*() {
        const log = join(yield* temporary, "pid")
        const preload = fileURLToPath(new URL("fixtures/endlessPreload.cjs", import.meta.url))
        const { signal } = yield* Program.run("orphanLoading.ts", {
          args: how === "--require" ? ["--require", preload] : [],
          env: { PRELOADED: log, ...(how === "--require" ? {} : { NODE_OPTIONS: `--require=${preload}` }) }
        })
        assert.strictEqual(signal, "SIGKILL")
        const pid = Number(readFileSync(log, "utf8"))
        assert.isAbove(pid, 0)
        yield* Program.gone(pid)
      }),
    // Below the limit of the preload itself.
    { timeout: 20_000 }
  )
})

describe("versions", () => {
  it("the number is that of package.json", () => {
    const { version: published } = JSON.parse(readFileSync(new URL("../package.json", import.meta.url), "utf8"))
    assert.strictEqual(version, published)
  })

  it("a package of another version than effect-blocking is refused, and both are named", () => {
    assert.isUndefined(ThreadHost.versionConflict("mine", version, "file:///mine"))
    const refusal = ThreadHost.versionConflict("mine", "9.9.9", "file:///mine")
    assert.match(
      refusal!,
      /^mine 9\.9\.9 \(file:\/\/\/mine\) does not fit effect-blocking \S+ \(file:.*\)\. Install one/
    )
  })
})
