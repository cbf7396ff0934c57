import { LiveView } from "@effect-blocking/devtools"
import { NodeBlocking } from "@effect-blocking/platform-node"
import { assert, describe, it } from "@effect/vitest"
import { Effect, Exit, Layer, Logger, Scope } from "effect"
import { Blocking } from "effect-blocking"
import type { ChildProcess } from "node:child_process"
import { request, type RequestOptions } from "node:http"
import { OpenPools } from "../../blocking/src/internal/pool/events.ts"
import { poll } from "../../platform-node/test/fixtures/native.ts"
import { run } from "../../platform-node/test/utils/program.ts"
import type { Snapshot } from "../src/internal/view/snapshot.ts"
import * as tasks from "./fixtures/load.ts"
import * as Chromium from "./utils/chromium.ts"

interface Answer {
  readonly status: number
  readonly headers: Readonly<Record<string, string | ReadonlyArray<string> | undefined>>
  readonly body: string
}

const get = (url: string, options: RequestOptions = {}): Effect.Effect<Answer> =>
  Effect.callback((resume) => {
    const sent = request(url, options, (response) => {
      let body = ""
      response.setEncoding("utf8").on("data", (text: string) => {
        body += text
      })
      response.on(
        "end",
        () => resume(Effect.succeed({ status: response.statusCode!, headers: response.headers, body }))
      )
    })
    sent.on("error", (error) => resume(Effect.die(error)))
    sent.end()
    return Effect.sync(() => sent.destroy())
  })

/** A live view of a program of its own, within this process, and where it is. */
const withView = <A, E>(
  options: LiveView.Options,
  use: (address: string) => Effect.Effect<A, E, Blocking.Blocking | Scope.Scope>
) => {
  let address = ""
  const logger = Logger.make(({ message }) => {
    address ||= /http:\S+/.exec(String(message))?.[0] ?? ""
  })
  const layer = Layer.merge(
    LiveView.layer({ port: 0, ...options }),
    NodeBlocking.layer({ maxThreads: 2, gracePeriod: 20 })
  )
  return Effect.suspend(() => use(address)).pipe(
    Effect.scoped,
    Effect.provide(layer),
    Effect.provide(Logger.layer([logger])),
    Effect.provideService(OpenPools, new Set())
  )
}

const snapshotOf = (address: string, until: (snapshot: Snapshot) => boolean): Effect.Effect<Snapshot> =>
  Effect.repeat(Effect.map(get(`${address}snapshot`), ({ body }) => JSON.parse(body) as Snapshot), {
    until,
    schedule: poll
  }) as Effect.Effect<Snapshot>

describe("LiveView", () => {
  it.live("W4: it has the pools, what they run and since when, their tasks, failures and stops", () =>
    withView({}, (address) =>
      Effect.gen(function*() {
        // The first look finds the pool.
        yield* snapshotOf(address, ({ pools }) => pools.length === 1)
        yield* Blocking.run(tasks.quick, 1)
        yield* Blocking.run(tasks.slow, 20)
        yield* Effect.exit(Blocking.run(tasks.fails, 7))
        yield* Effect.exit(Blocking.run(tasks.panics))
        const endless = yield* Blocking.spawn(tasks.endless)
        const during = yield* snapshotOf(address, ({ pools }) =>
          pools[0]!.running.some(({ runningMillis }) => runningMillis > 0))
        assert.deepInclude(during.pools[0]!.running[0], { task: "endless", id: endless.id })
        yield* endless.abort
        const { pools, program, stalls, watched } = yield* snapshotOf(address, ({ pools }) =>
          pools[0]!.outcomes["Cancelled"] === 1)
        const [pool] = pools
        assert.deepInclude(program, { pid: process.pid, node: process.version })
        assert.deepStrictEqual([stalls, watched], [[], false])
        assert.deepInclude(pool, {
          key: "effect-blocking/Blocking",
          maxThreads: 2,
          submitted: 5,
          queueDepth: 0,
          dropped: 0
        })
        assert.deepInclude(pool!.outcomes, { Succeeded: 2, Failed: 1, Panicked: 1, Cancelled: 1 })
        assert.sameMembers(
          pool!.tasks.map(({ ended, failed, name }) =>
            `${name} ${ended} ${failed}`
          ),
          [
            "quick 1 0",
            "slow 1 0",
            "fails 1 1",
            "<img src=x onerror=alert(1)> 1 1",
            "endless 1 0"
          ]
        )
        assert.strictEqual(
          pool!.queueWait.reduce((total, { count }) =>
            total + count, 0),
          5
        )
        assert.strictEqual(pool!.runTime.reduce((total, { count }) => total + count, 0), 5)
        assert.isAtLeast(pool!.slowest.find(({ task }) => task === "slow")!.runMillis, 20)
        const [panicked, failed] = pool!.failures
        assert.deepInclude(failed, { task: "fails", outcome: "Failed", message: "NotFound" })
        assert.deepInclude(panicked, { outcome: "Panicked" })
        assert.match(panicked!.message, /TypeError: <script>/)
        assert.match(panicked!.detail, /load\.ts:\d+:\d+/)
        assert.deepStrictEqual(pool!.stops.map(({ by, step, task }) => `${task} ${step} ${by}`), [
          "endless Terminated Abort",
          "endless StopRequested Abort"
        ])
      })))

  it.live("W4: it sees pools that come later, and forgets those that have closed", () =>
    withView({}, (address) =>
      Effect.gen(function*() {
        const scope = yield* Scope.make()
        const pool = yield* Scope.provide(NodeBlocking.make("app/Later", { maxThreads: 1 }), scope)
        const found = yield* snapshotOf(address, ({ pools }) => pools.length === 2)
        assert.strictEqual(found.pools[1]!.key, "app/Later")
        yield* pool.run(tasks.quick, 1)
        yield* snapshotOf(address, ({ pools }) => pools[1]!.tasks[0]?.ended === 1)
        yield* Scope.close(scope, Exit.void)
        yield* snapshotOf(address, ({ pools }) => pools.length === 1)
      })))

  it.live("W4: arguments and results are nowhere, and messages of failures not where they are not wanted", () =>
    withView({ failures: "names" }, (address) =>
      Effect.gen(function*() {
        yield* snapshotOf(address, ({ pools }) => pools.length === 1)
        yield* Blocking.run(tasks.login, "hunter2-hunter2")
        yield* Effect.exit(Blocking.run(tasks.panics))
        yield* Effect.exit(Blocking.run(tasks.fails, 424_242))
        const snapshot = yield* snapshotOf(address, ({ pools }) => pools[0]!.failures.length === 2)
        const text = JSON.stringify(snapshot)
        assert.notInclude(text, "hunter2")
        assert.notInclude(text, "owned")
        assert.notInclude(text, "424242")
        assert.deepStrictEqual(snapshot.pools[0]!.failures.map(({ detail, message }) => [message, detail]), [
          ["NotFound", ""],
          ["Panicked", ""]
        ])
      })))

  it.live("W4: it is bound to loopback, and answers no other host, origin or method", () =>
    withView({ allowedHosts: ["devbox.internal:1234"] }, (address) =>
      Effect.gen(function*() {
        const { host, port } = new URL(address)
        assert.strictEqual(host, `127.0.0.1:${port}`)
        const statusOf = (headers: Record<string, string>, method = "GET", path = "") =>
          Effect.map(get(`${address}${path}`, { headers, method }), ({ status }) => status)
        for (const path of ["", "snapshot", "events", "app.js", "style.css"]) {
          // As after DNS rebinding: the address is ours, and the name is not.
          assert.strictEqual(yield* statusOf({ host: "evil.example" }, "GET", path), 403)
          assert.strictEqual(yield* statusOf({ host: `evil.example:${port}` }, "GET", path), 403)
          assert.strictEqual(yield* statusOf({ origin: "http://evil.example" }, "GET", path), 403)
        }
        assert.strictEqual(yield* statusOf({ host: `127.0.0.1:${Number(port) + 1}` }), 403)
        assert.strictEqual(yield* statusOf({ origin: "null" }), 403)
        assert.strictEqual(yield* statusOf({ host: `localhost:${port}` }), 200)
        assert.strictEqual(yield* statusOf({ host: "devbox.internal:1234" }), 200)
        assert.strictEqual(yield* statusOf({ origin: `http://127.0.0.1:${port}` }), 200)
        for (const method of ["POST", "PUT", "DELETE", "OPTIONS"]) assert.strictEqual(yield* statusOf({}, method), 405)
        for (const path of ["nothing", "..%2f..%2fpackage.json", "app.ts.map", "internal/view/server.ts"]) {
          assert.strictEqual(yield* statusOf({}, "GET", path), 404)
        }
        const { body, headers } = yield* get(address)
        assert.match(
          String(headers["content-security-policy"]),
          /^default-src 'none'; script-src 'self'; style-src 'self'/
        )
        assert.deepInclude(headers, {
          "x-content-type-options": "nosniff",
          "x-frame-options": "DENY",
          "cache-control": "no-store"
        })
        assert.notProperty(headers, "access-control-allow-origin")
        assert.notMatch(body, /(src|href)="(https?:)?\/\//, "nothing is loaded from elsewhere")
        assert.notMatch(body, /<script(?! type="module" src="\/app\.js")|<style|\son\w+=/)
      })))

  it.live("W4: the close of its layer does not wait for pages that are open", () =>
    Effect.gen(function*() {
      let ended = false
      yield* withView({}, (address) =>
        Effect.callback<void>((resume) => {
          const page = request(`${address}events`, (response) => {
            response.once("data", () => resume(Effect.void))
            response.on("close", () => {
              ended = true
            })
            response.on("error", () => {})
          })
          page.on("error", () => {})
          page.end()
        }))
      yield* Effect.repeat(Effect.sync(() => ended), { until: (ended) => ended, schedule: poll })
    }))

  it.live("W4: a port that is taken fails the layer", () =>
    withView({}, (address) =>
      Effect.gen(function*() {
        const exit = yield* Effect.exit(
          Effect.scoped(Layer.build(LiveView.layer({ port: Number(new URL(address).port) })))
        )
        assert.isTrue(Exit.isFailure(exit))
        assert.include(String(exit), "EADDRINUSE")
      })))
})

describe("the page of LiveView", { concurrent: false }, () => {
  if (Chromium.executable === undefined) {
    it.skip("needs Chromium, which is not installed here: apt-get install chromium", () => {})
    return
  }

  /** The page of a program under load, which ends by itself when it is interrupted, although the page is open. */
  const withPage = (
    use: (page: Chromium.Page, until: (expression: string) => Effect.Effect<void>) => Effect.Effect<void>
  ) =>
    Effect.gen(function*() {
      let child: ChildProcess | undefined
      const address = yield* Effect.callback<string>((resume) => {
        void Effect.runPromise(Effect.scoped(run(new URL("./fixtures/viewed.ts", import.meta.url).href, {
          onStart: (started) => {
            child = started
            started.once("exit", (code) => {
              ended = code
            })
          },
          onStdout: (text) => {
            const found = /http:\S+/.exec(text)
            if (found !== null) resume(Effect.succeed(found[0]))
          }
        })))
      })
      let ended: number | null | undefined
      yield* Effect.gen(function*() {
        const page = yield* Chromium.open(address)
        const until = (expression: string): Effect.Effect<void> =>
          Effect.asVoid(Effect.repeat(page.evaluate<boolean>(expression), { until: (holds) => holds, schedule: poll }))
        yield* use(page, until)
        assert.deepStrictEqual(page.problems, [])
        child!.kill("SIGINT")
        yield* Effect.repeat(Effect.sync(() => ended), { until: (code) => code !== undefined, schedule: poll })
        assert.strictEqual(ended, 130)
        yield* until(`document.querySelector("[role=status]").textContent.startsWith("The program does not answer")`)
      }).pipe(Effect.scoped, Effect.ensuring(Effect.sync(() => child!.kill("SIGKILL"))))
    })

  it.live("W4: in a browser it is live, readable without a mouse, fits every width, and runs nothing of the program's", () =>
    withPage((page, until) =>
      Effect.gen(function*() {
        yield* until(`document.querySelectorAll("section.pool").length === 3`)
        yield* until(`document.body.innerText.includes("endless")`)
        yield* until(`document.querySelectorAll("details").length > 2`)
        const headings = yield* page.evaluate<ReadonlyArray<string>>(
          `Array.from(document.querySelectorAll("h2"), (heading) => heading.textContent)`
        )
        assert.deepStrictEqual(headings, ["effect-blocking/Blocking", "app/Cpu", "Event loop"])

        // It is live.
        const before = yield* page.evaluate<string>(`document.querySelector(".tiles").textContent`)
        yield* until(`document.querySelector(".tiles").textContent !== ${JSON.stringify(before)}`)
        yield* until(`document.querySelector("#event-loop").closest("section").textContent.includes("blocked for")`)

        // A name or a message of the program is text.
        assert.strictEqual(yield* page.evaluate<number>(`document.querySelectorAll("main img, main script").length`), 0)
        assert.isTrue(yield* page.evaluate<boolean>(`document.body.innerText.includes("<img src=x onerror=alert(1)>")`))
        assert.match(yield* page.evaluate<string>("document.title"), /^viewed\.ts/)
        const origins = yield* page.evaluate<ReadonlyArray<boolean>>(
          `[...new Set(performance.getEntriesByType("resource").map(({ name }) => new URL(name).origin === location.origin))]`
        )
        assert.deepStrictEqual(origins, [true])

        // By keyboard: a failure is opened, and stays so while the page goes on.
        yield* page.evaluate(`document.querySelector("details summary").focus()`)
        yield* page.press("Enter")
        yield* until(`document.querySelector("details[open] pre")?.textContent.length > 20`)
        const opened = yield* page.evaluate<string>(`document.querySelector("details[open] summary").textContent`)
        yield* until(`document.querySelector("details summary").textContent !== ${JSON.stringify(opened)}`)
        assert.isTrue(
          yield* page.evaluate<boolean>(
            `document.activeElement.closest("details")?.open === true && document.activeElement.textContent === ${
              JSON.stringify(opened)
            }`
          ),
          "the focus stays where it was"
        )
        yield* page.evaluate(`document.querySelector("#pause").focus()`)
        yield* page.press("Enter")
        yield* until(`document.querySelector("#pause").getAttribute("aria-pressed") === "true"`)
        yield* page.press("Enter")

        // For those who have it read out: every table and picture has a name, every section a heading.
        const nameless = yield* page.evaluate<ReadonlyArray<string>>(`[
          ...Array.from(document.querySelectorAll("table")).filter((table) => !table.caption?.textContent),
          ...Array.from(document.querySelectorAll("svg, [role=region]")).filter((part) => !part.getAttribute("aria-label")),
          ...Array.from(document.querySelectorAll("section")).filter((part) => !document.getElementById(part.getAttribute("aria-labelledby"))),
          ...Array.from(document.querySelectorAll("th")).filter((cell) => cell.scope !== "col")
        ].map((part) => part.outerHTML.slice(0, 100))`)
        assert.deepStrictEqual(nameless, [])

        // As wide as it is given, light and dark.
        const backs: Array<string> = []
        for (const scheme of ["light", "dark"] as const) {
          for (const width of [1600, 800, 360]) {
            yield* page.look({ width, height: 900, scheme })
            yield* until(`innerWidth === ${width} && document.documentElement.scrollWidth <= innerWidth`)
          }
          backs.push(yield* page.evaluate<string>(`getComputedStyle(document.body).backgroundColor`))
        }
        assert.deepStrictEqual(backs, ["rgb(246, 247, 249)", "rgb(20, 23, 28)"])
        assert.isAbove((yield* page.screenshot).length, 10_000)
      })
    ))
})
