import { assert, describe, it } from "@effect/vitest"
import { inheritedFlags, isolatingFlags } from "../../src/internal/flags.ts"

describe("flags", () => {
  it.each<readonly [given: ReadonlyArray<string>, inherited: ReadonlyArray<string>]>([
    [["--eval=1"], []],
    [["--eval", "1"], []],
    [["-e", "1", "--no-warnings"], ["--no-warnings"]],
    [["-pe", "1"], []],
    [["-p", "1", "-r", "./a.cjs"], ["-r", "./a.cjs"]],
    [["--print=1", "-C", "dev"], ["-C", "dev"]],
    [["--input-type=module", "--input_type", "module"], []],
    [["--inspect-port", "9230", "--inspect-publish-uid", "http", "--inspect"], []],
    [["--inspect-brk=0", "--enable-source-maps"], ["--enable-source-maps"]],
    [["--test", "--test-reporter", "dot", "--experimental-test-coverage", "--watch"], []],
    [["--run", "start", "--env-file", ".env", "--check"], []],
    [["--unknown", "value", "--stack-size=900"], ["--unknown", "value", "--stack-size=900"]],
    [["--import", "data:text/javascript,--eval=1", "--"], ["--import", "data:text/javascript,--eval=1"]],
    [["--conditions=eval", "--experimental-strip-types"], ["--conditions=eval", "--experimental-strip-types"]]
  ])("of the flags %j a thread gets %j", (given, inherited) => {
    assert.deepStrictEqual(inheritedFlags(given), inherited)
  })

  it("takes the debugger and the file watcher of NODE_OPTIONS back", () => {
    assert.deepStrictEqual(isolatingFlags("--inspect-brk=9229 --no-warnings"), ["--no-inspect-brk"])
    assert.deepStrictEqual(isolatingFlags("--inspect"), ["--no-inspect"])
    assert.deepStrictEqual(isolatingFlags("--inspect-port=0 --watch-path=a"), [])
    assert.deepStrictEqual(isolatingFlags(undefined), [])
  })
})
