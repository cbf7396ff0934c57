import { assert, describe, it } from "@effect/vitest"
import { JoinError } from "effect-blocking"

const missing = (path: string): string =>
  new JoinError.LoadFailed({
    url: "file:///app/tasks.js",
    cause: Object.assign(new Error(`Cannot find module '${path}' imported from /app/tasks.js`), {
      code: "ERR_MODULE_NOT_FOUND"
    }),
    names: []
  }).message

describe("LoadFailed", () => {
  it("F3: what only pool threads load, and a trace of files has left behind, is told as that", () => {
    for (
      const path of [
        "/app/node_modules/effect-blocking/dist/internal/thread/index.js",
        "C:\\app\\node_modules\\effect-blocking\\dist\\internal\\thread\\index.js"
      ]
    ) {
      assert.include(missing(path), "Only pool threads load this file. Were the files of the program traced?")
    }
  })

  it("F3: what else is missing is not taken for it", () => {
    assert.notInclude(missing("/app/effect-blocking-tasks.js"), "traced")
    assert.include(missing("/app/effect-blocking-tasks.js"), "A pool thread loads modules as Node does")
  })
})
