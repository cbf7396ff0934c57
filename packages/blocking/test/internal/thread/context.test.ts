/** Two copies of the package in one thread: each loads the modules again, under another url. */
import { assert, describe, it } from "@effect/vitest"
import { execFileSync } from "node:child_process"

const inThread = (script: string): string =>
  execFileSync(process.execPath, ["--input-type=module", "--eval", script], { encoding: "utf8", timeout: 20_000 })

const task = JSON.stringify(new URL("../../../src/Task.ts", import.meta.url).href)
const threadHost = JSON.stringify(new URL("../../../src/ThreadHost.ts", import.meta.url).href)
/** A copy of another version was loaded first. */
const older = `globalThis[Symbol.for("effect-blocking/ThreadContext")] = {
  version: { version: "9.9.9", protocol: 1, place: "file:///other" }, modules: new Map(), evaluating: new Set()
}`

describe("two copies in one thread", () => {
  it("F3: a task is not defined beside those of another version: both are named", () => {
    const output = inThread(`${older}
      const Task = await import(${task})
      try { Task.make("file:///module.ts", "t", () => 1) } catch (error) { console.log(error._tag, error.message) }`)
    assert.match(output, /^TaskDefinitionError Task "t" cannot be defined: Two versions of effect-blocking meet/)
    assert.match(output, /9\.9\.9 \(file:\/\/\/other\)/)
  })

  it("F4: no pool is made beside tasks of another version", () => {
    const output = inThread(`${older}
      const ThreadHost = await import(${threadHost})
      console.log(ThreadHost.versionConflict("mine", "0.0.0", "file:///mine"))`)
    assert.match(output, /^Two versions of effect-blocking meet.*9\.9\.9 \(file:\/\/\/other\)/)
  })
})
