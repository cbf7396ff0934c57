import { assert, describe, it } from "@effect/vitest"
import { execFileSync } from "node:child_process"
import * as Flags from "../../src/internal/flags.ts"

/** Node's own `process.execArgv` for the command line. */
const execArgvOf = (...words: ReadonlyArray<string>): ReadonlyArray<string> =>
  JSON.parse(execFileSync(process.execPath, words, { encoding: "utf8", stdio: ["ignore", "pipe", "ignore"] }))

const print = "console.log(JSON.stringify(process.execArgv))"

describe("flags", () => {
  it.each<[flags: ReadonlyArray<string>, thread: ReadonlyArray<string>, process?: ReadonlyArray<string>]>([
    [[], []],
    // Flags that say what the program runs.
    [["-e", "1"], []],
    [["-e", ""], []],
    [["-p", "1"], []],
    [["-pe", "1"], []],
    [["--eval", "1"], []],
    [["--eval=1"], []],
    [["--eval=--expose-gc"], []],
    [["--print", "1"], []],
    [["--print=a = 1"], []],
    [["-i"], []],
    [["--interactive"], []],
    [["-c"], []],
    [["--check"], []],
    [["--"], []],
    [["--run", "start"], []],
    [["--run=start"], []],
    [["--input-type", "module", "--eval", "1"], []],
    [["--input-type=module", "-r", "x", "--eval=1"], ["-r", "x"]],
    [["--input_type=module"], []],
    [["--entry-url"], []],
    [["--experimental-entry-url"], []],
    [["--build-snapshot", "--build-snapshot-config", "x.json"], []],
    [["--snapshot-blob", "x.blob", "-C", "x"], ["-C", "x"]],
    [["--env-file", ".env", "--env-file-if-exists=.env"], []],
    // Flags for tests and watching.
    [["--test"], []],
    [["--test", "--test-name-pattern", "x", "--test-reporter=tap", "--test-only"], []],
    [["--experimental-test-coverage", "--experimental-test-isolation=none"], []],
    [["--watch", "--watch-path", "./src", "--watch-preserve-output"], []],
    // Debuggers.
    [["--inspect"], ["--inspect"], []],
    [["--inspect=9230", "--trace-warnings"], ["--inspect=9230", "--trace-warnings"], ["--trace-warnings"]],
    [["--inspect-port", "9230"], ["--inspect-port", "9230"], []],
    [["--inspect-port=0", "-r", "x"], ["--inspect-port=0", "-r", "x"], ["-r", "x"]],
    [["--inspect_brk"], ["--inspect_brk"], []],
    [["--inspect-wait", "--inspect-publish-uid", "http"], ["--inspect-wait", "--inspect-publish-uid", "http"], []],
    [["--debug-port", "1", "--title", "x"], ["--debug-port", "1", "--title", "x"], ["--title", "x"]],
    // Flags that say how the program runs; an unknown flag keeps its value.
    ...[
      ["-r", "./a.cjs", "--require=b", "--import", "tsx"],
      ["-C", "development", "--conditions=x"],
      ["--max-old-space-size=512", "--expose_gc"],
      ["--from-the-future", "value", "--another=value"],
      ["--experimental-loader", "x", "--experimental-transform-types"],
      ["--permission", "--allow-fs-read=*", "--allow-worker"],
      ["--title", "\\-e"],
      ["--testing", "--watcher", "--evaluate", "--checked"]
    ].map((flags): [ReadonlyArray<string>, ReadonlyArray<string>] => [flags, flags]),
    // Mixed.
    [["-r", "a", "-e", "1", "--import", "b", "--test", "-C", "c"], ["-r", "a", "--import", "b", "-C", "c"]],
    [["--no-test", "--no-inspect", "--no-warnings"], ["--no-inspect", "--no-warnings"], ["--no-warnings"]]
  ])("F4: the flags of %j that say how the program runs are inherited", (flags, thread, process = thread) => {
    assert.deepStrictEqual(Flags.forThread(flags), thread)
    assert.deepStrictEqual(Flags.forProcess(flags), process)
  })

  it("F4: flags are parsed as Node parses them", () => {
    assert.deepStrictEqual(Flags.forProcess(execArgvOf("--inspect-port", "0", "-r", "node:fs", "-e", print)), [
      "-r",
      "node:fs"
    ])
    assert.deepStrictEqual(Flags.forProcess(execArgvOf("-C", "x", `--eval=${print}`, "argument")), ["-C", "x"])
    assert.deepStrictEqual(Flags.forProcess(execArgvOf("--expose-gc", "--input-type=module", "-e", print)), [
      "--expose-gc"
    ])
  })

  it.each([
    ["--input-type=module", ""],
    ["--inspect-brk -r ./a.cjs", "-r ./a.cjs"],
    ["--inspect-port 9230  --title=x", "--title=x"],
    ["--require \"./with space.cjs\" --inspect", "--require \"./with space.cjs\""],
    ["--inspect --require \"./with \\\"quotes\\\" and \\\\.cjs\"", "--require \"./with \\\"quotes\\\" and \\\\.cjs\""],
    ["--inspect --title=\"a b\" --require \"\"", "\"--title=a b\" --require \"\""],
    ["--inspect --require C:\\a\\b.cjs", "--require C:\\a\\b.cjs"]
  ])("F4: NODE_OPTIONS of %s is passed on as %s", (given, expected) => {
    assert.deepStrictEqual(Flags.inEnv({ A: "1", NODE_OPTIONS: given }, Flags.forProcess), {
      A: "1",
      NODE_OPTIONS: expected
    })
  })

  it("F4: variables without such flags are passed on unchanged", () => {
    for (const env of [{}, { NODE_OPTIONS: "" }, { NODE_OPTIONS: "--title=\"a  b\"   -r x" }]) {
      assert.strictEqual(Flags.inEnv(env, Flags.forProcess), env)
    }
  })
})
