import { assert, describe, it } from "@effect/vitest"
import { Effect } from "effect"
import * as Program from "./utils/program.ts"

const limit = { timeout: 40_000 }

describe("programs", () => {
  it.live("a module with task and program is not started again by a pool thread", () =>
    Effect.gen(function*() {
      const { code, stderr, stdout } = yield* Program.run("single.ts")
      assert.deepStrictEqual({ code, stderr, stdout }, { code: 0, stderr: "", stdout: "program started\n42 8\n" })
    }), limit)

  it.live("a program that a pool thread would start again fails, and is told what to do", () =>
    Effect.gen(function*() {
      const { code, stdout } = yield* Program.run("unguarded.ts")
      assert.strictEqual(code, 1)
      assert.include(stdout, "A pool was made inside a pool thread")
      assert.include(stdout, "Task \"double\"")
      assert.include(stdout, "Does the module start the program?")
    }), limit)

  it.live("P2: an idle pool does not keep the process alive, a busy one does", () =>
    Effect.gen(function*() {
      const { code, stdout } = yield* Program.run("idle.ts")
      assert.deepStrictEqual({ code, stdout }, { code: 0, stdout: "3\n" })
    }), limit)

  it.live("threads start under flags that only a process can have", () =>
    Effect.gen(function*() {
      const { code, stdout } = yield* Program.run("idle.ts", { args: ["--max-old-space-size=512", "--expose-gc"] })
      assert.deepStrictEqual({ code, stdout }, { code: 0, stdout: "3\n" })
    }), limit)

  it.live("runMain reports a failure and exits with 1", () =>
    Effect.gen(function*() {
      const { code, stdout } = yield* Program.run("fails.ts")
      assert.strictEqual(code, 1)
      assert.include(stdout, "the program failed")
    }), limit)

  it.live("runMain closes its pools on SIGTERM, by the ladder", () =>
    Effect.gen(function*() {
      const { code, stdout } = yield* Program.run("signalled.ts", {
        onStdout: (text, child) => {
          if (text.includes("ready")) child.kill("SIGTERM")
        }
      })
      assert.deepStrictEqual({ code, stdout }, { code: 130, stdout: "ready\ncleaned 1\n" })
    }), limit)
})
