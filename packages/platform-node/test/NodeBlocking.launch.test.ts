import { assert, describe, it } from "@effect/vitest"
import { Effect } from "effect"
import { run } from "./utils/program.ts"

describe("launch", { concurrent: false, timeout: 60_000 }, () => {
  it.live.each(["thread", "process"])(
    "P2: a closed pool (%s) leaves no timer behind",
    (isolation) =>
      Effect.gen(function*() {
        const { stdout } = yield* run("launched.ts", { argv: [isolation] })
        assert.strictEqual(stdout, "3, timers left: 0")
      })
  )

  it.live("processes start under a debugger whose port is a separate word", () =>
    Effect.gen(function*() {
      const { stdout } = yield* run("launched.ts", { args: ["--inspect-port", "0"], argv: ["process"] })
      assert.strictEqual(stdout, "3, timers left: 0")
    }))

  it.live("processes work quietly without --allow-worker", () =>
    Effect.gen(function*() {
      const args = ["--permission", "--allow-fs-read=*", "--allow-fs-write=*", "--allow-child-process"]
      const { stderr, stdout } = yield* run("launched.ts", { args, argv: ["process"] })
      assert.strictEqual(stdout, "3, timers left: 0")
      assert.notInclude(stderr, "restricted")
    }))

  it.live("D5: where execve is refused, a thread in JavaScript does not change the exit code", () =>
    Effect.gen(function*() {
      const { code } = yield* run("permitted.ts", { args: ["--permission", "--allow-worker", "--allow-fs-read=*"] })
      assert.strictEqual(code, 3)
    }))
})
