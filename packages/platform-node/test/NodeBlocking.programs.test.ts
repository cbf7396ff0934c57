import { assert, describe, it } from "@effect/vitest"
import { Effect } from "effect"
import { mkdtempSync, rmSync } from "node:fs"
import { tmpdir } from "node:os"
import { join } from "node:path"
import { fileURLToPath, pathToFileURL } from "node:url"
import { rolldown } from "rolldown"
import { oneByOne } from "./utils/processes.ts"
import * as Program from "./utils/program.ts"
import { windows } from "./utils/windows.ts"

const limit = { timeout: 40_000 }

/** A fixture bundled with its imports into one file. */
const bundled = (fixture: string) =>
  Effect.acquireRelease(
    Effect.promise(async () => {
      const folder = mkdtempSync(join(tmpdir(), "effect-blocking-"))
      const file = join(folder, "bundle.mjs")
      const input = fileURLToPath(new URL(`fixtures/${fixture}`, import.meta.url))
      const build = await rolldown({ input, platform: "node" })
      await build.write({ file, format: "es", codeSplitting: false })
      return { folder, file }
    }),
    ({ folder }) => Effect.sync(() => rmSync(folder, { recursive: true }))
  )

describe("programs", () => {
  it.live("a module with task and program is not started again by a pool thread", () =>
    Effect.gen(function*() {
      const { code, stderr, stdout } = yield* Program.run("single.ts")
      assert.deepStrictEqual({ code, stderr, stdout }, { code: 0, stderr: "", stdout: "program started\n42 8\n" })
    }), limit)

  it.live(
    "a program that a pool thread would start again fails with a message that says what to do",
    () =>
      Effect.gen(function*() {
        const { code, stdout } = yield* Program.run("unguarded.ts")
        assert.strictEqual(code, 1)
        assert.include(stdout, "A pool was made inside a pool thread")
        assert.include(stdout, "Task \"double\"")
        assert.include(stdout, "Does the module start the program?")
      }),
    limit
  )

  it.live.each(["single.ts", "singleProcess.ts"])(
    "F4: bundled into one file, %s fails with the advice to leave the package out of the bundle",
    (fixture) =>
      Effect.gen(function*() {
        const { file } = yield* bundled(fixture)
        const { code, stderr, stdout } = yield* Program.run(pathToFileURL(file).href)
        assert.strictEqual(code, 1)
        assert.match(stdout, /SpawnFailed|got no thread/)
        assert.include(stdout, "is @effect-blocking/platform-node bundled? Mark it as external")
        assert.notInclude(stderr + stdout, "Cannot find module")
        // No further start could succeed.
        assert.match(stdout, /got no thread: its start failed with/)
        assert.strictEqual(stdout.match(/start a pool thread|pool thread can be started/g)?.length, 1, "one line")
      }),
    limit
  )

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

  it.live.each(["thread", "process"])(
    "P1: the output of a release is not lost with its thread: %s",
    (isolation) =>
      Effect.gen(function*() {
        const { code, stdout } = yield* Program.run("lastWords.ts", { argv: [isolation] })
        assert.deepStrictEqual({ code, length: stdout.length, end: stdout.slice(-9) }, {
          code: 0,
          length: 64 * 65_536 + 9,
          end: "released\n"
        })
      }),
    limit
  )

  it.live("runMain reports a failure and exits with 1", () =>
    Effect.gen(function*() {
      const { code, stdout } = yield* Program.run("fails.ts")
      assert.strictEqual(code, 1)
      assert.include(stdout, "the program failed")
    }), limit)

  it.live.skipIf(windows)("runMain closes its pools on SIGTERM, by the ladder", () =>
    Effect.gen(function*() {
      const { code, stdout } = yield* Program.run("signalled.ts", {
        onStdout: (text, child) => {
          if (text.includes("ready")) child.kill("SIGTERM")
        }
      })
      assert.deepStrictEqual({ code, stdout }, { code: 130, stdout: "ready\ncleaned 1\n" })
    }), limit)
})

describe("programs with flags", oneByOne, () => {
  const flagged = new URL("fixtures/flagged.ts", import.meta.url).href
  const imports = `await import(${JSON.stringify(flagged)})`

  it.live.each<readonly [ReadonlyArray<string>, string?, ReadonlyArray<string>?]>([
    [["--input-type=module", "-r", "node:fs", `--eval=${imports}`]],
    [["--inspect-port", "0"]],
    [["--inspect-publish-uid", "http", "--title", "a, b", "--stack-size=900"]],
    [["--test-only", "--title=x", "--"]],
    [[`--eval=${imports}`], "--input-type=module"],
    [[], "--inspect-port=0 --test-only --secure-heap=2 --title=x", ["env"]]
  ])(
    "F4: threads and processes start under any flags of the program (%#)",
    ([args, NODE_OPTIONS = "", argv = []]) =>
      Effect.gen(function*() {
        const { code, stderr, stdout } = yield* Program.run("flagged.ts", { args, argv, env: { NODE_OPTIONS } })
        assert.deepStrictEqual({ code, stdout }, { code: 0, stdout: "program\nthread 3\nprocess 3\n" }, stderr)
      }),
    limit
  )

  it.live(
    "F5: under a permission model without --allow-worker processes run, and report nothing",
    () =>
      Effect.gen(function*() {
        const args = ["--permission", "--allow-fs-read=*", "--allow-fs-write=*", "--allow-child-process"]
        const { code, stderr, stdout } = yield* Program.run("idleProcess.ts", { args })
        assert.strictEqual(code, 0, stderr)
        assert.match(stdout, /^\d+\n$/)
        assert.notInclude(stderr, "restricted")
      }),
    limit
  )

  it.live(
    "F4: flags that Node refuses fail the first start, by name or with all given flags",
    () =>
      Effect.gen(function*() {
        const { code, stderr, stdout } = yield* Program.run("refusedFlags.ts")
        assert.strictEqual(code, 0, stderr)
        const [thread = "", inProcess = ""] = stdout.split("\n").filter((line) => /^(thread|process): /.test(line))
        assert.match(thread, /its start failed.*invalid execArgv flags: --nope/)
        assert.match(inProcess, /its start failed.*exit code 9.*--nope/)
        assert.notInclude(stdout, "Could not start a pool thread")
      }),
    limit
  )
})
