import { LiveView } from "@effect-blocking/devtools"
import { assert, describe, it } from "@effect/vitest"
import { Effect, Logger } from "effect"
import { OpenPools } from "../../../blocking/src/internal/pool/events.ts"
import { run } from "../../../platform-node/test/utils/program.ts"
import type { PoolView, Snapshot } from "../../src/internal/view/snapshot.ts"
import { render } from "../../src/internal/view/terminal.ts"

const pool: PoolView = {
  id: 1,
  key: "app/Cpu",
  threads: 2,
  idleThreads: 1,
  stuckThreads: 1,
  waitingThreads: 0,
  maxThreads: 2,
  queueDepth: 3,
  queueCapacity: 10,
  suspended: 0,
  openStreams: 0,
  submitted: 1300,
  running: [{ id: 7, task: "render", threadId: 12, runningMillis: 1500 }],
  outcomes: { Succeeded: 1298, Panicked: 2 },
  history: [{ queueDepth: 0, running: 1, ended: 10 }, { queueDepth: 4, running: 2, ended: 20 }],
  queueWait: [{ belowMillis: 1, count: 98 }, { belowMillis: 10, count: 2 }, { belowMillis: undefined, count: 0 }],
  runTime: [],
  tasks: [{ name: "render", module: "file:///a.ts", ended: 1300, failed: 2, meanMillis: 12.3, maxMillis: 4000 }],
  slowest: [],
  failures: [{
    at: 0,
    task: "\u001b[2Jrender\u202e",
    id: 3,
    outcome: "Panicked",
    message: "line\n\u0007two",
    detail: ""
  }],
  stops: [{ at: 0, task: "render", id: 2, threadId: 12, step: "Terminated", by: "TimeLimit" }],
  dropped: 0
}

const snapshot: Snapshot = {
  at: 0,
  program: { name: "main.ts", pid: 42, node: "v24.0.0", uptimeMillis: 61_000, memoryBytes: 1e8, eventLoop: 0.25 },
  watched: true,
  stalls: [],
  pools: [pool]
}

describe("top", () => {
  it("W4: it shows the same as the page", () => {
    const lines = render(snapshot, { columns: 120, rows: undefined, colors: false })
    const text = lines.join("\n")
    assert.match(
      text,
      /^main\.ts {2}event loop busy 25 % {2}memory 100 MB {2}up 1 min 1 s {2}process 42 {2}Node v24\.0\.0/
    )
    assert.include(text, "running 1 of 2  idle 1  stuck 1  queued 3  ended 20/s  failed 2")
    assert.include(text, "queue     █")
    assert.include(text, "ended/s  ▅█")
    assert.include(text, "waited   half below 1 ms, 99 % 1 ms – 10 ms")
    assert.match(text, / 12 {2}render +1\.50 s/)
    assert.match(text, /render +1,300 +2 +12 ms +4\.00 s/)
    assert.include(text, "render: thread terminated, past its time limit")
    assert.include(text, "No stall so far.")
    assert.notInclude(text, "\u001b")
    assert.include(
      render({ ...snapshot, watched: false }, { columns: 80, rows: undefined, colors: false }).join(),
      "It is not watched"
    )
    assert.include(
      render({ ...snapshot, pools: [] }, { columns: 80, rows: undefined, colors: false }).join(),
      "no pool yet"
    )
  })

  it("W4: no text of the program controls the terminal", () => {
    const text = render(snapshot, { columns: 200, rows: undefined, colors: true }).join("\n")
    assert.include(text, "\ufffd[2Jrender\ufffd: line\ufffd\ufffdtwo")
    // oxlint-disable-next-line no-control-regex -- All that is left are the colours.
    assert.notMatch(text.replace(/\u001b\[\d+m/g, ""), /[\u0000-\u0009\u000b-\u001f\u202e]/)
  })

  it("W4: it fits the terminal", () => {
    for (const columns of [20, 40, 80]) {
      for (const line of render(snapshot, { columns, rows: 10, colors: false })) assert.isAtMost(line.length, columns)
    }
    assert.lengthOf(render(snapshot, { columns: 80, rows: 10, colors: true }), 10)
    const site = `parse (${"packages/".repeat(5)}main.ts:10:5)`
    const stalls = [{ at: 0, millis: 1200, stack: "While", site, advice: "", frames: [] }]
    const text = render({ ...snapshot, stalls }, { columns: 80, rows: undefined, colors: false }).join("\n")
    assert.match(text, /render +1,300 +2 +12 ms +4\.00 s$/m, "units are not cut")
    assert.match(text, /blocked for 1\.20 s\n +by parse \(.*main\.ts:10:5\)$/m)
  })

  it.live("W4: `top --once` prints it once, and reports a wrong address", () => {
    let address = ""
    const logger = Logger.make(({ message }) => {
      address ||= /http:\S+/.exec(String(message))?.[0] ?? ""
    })
    const bin = new URL("../../src/internal/bin.ts", import.meta.url).href
    return Effect.gen(function*() {
      const printed = yield* run(bin, { argv: ["top", address, "--once"] })
      assert.strictEqual(printed.code, 0, printed.stderr)
      assert.match(printed.stdout, new RegExp(`process ${process.pid} `))
      assert.notInclude(printed.stdout, "\u001b")
      const nobody = yield* run(bin, { argv: ["top", "http://127.0.0.1:1/", "--once"] })
      assert.deepStrictEqual([nobody.code, nobody.stdout], [1, ""])
      assert.include(nobody.stderr, "There is no live view at http://127.0.0.1:1/: is the program running")
      assert.notInclude(nobody.stderr, "    at ")
      const refused = yield* run(bin, { argv: ["top", "nowhere"] })
      assert.notStrictEqual(refused.code, 0)
    }).pipe(
      Effect.scoped,
      Effect.provide(LiveView.layer({ port: 0 })),
      Effect.provide(Logger.layer([logger])),
      Effect.provideService(OpenPools, new Set())
    )
  })
})
