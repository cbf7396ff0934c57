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
  it("F3: a missing file that only pool threads load gets advice about file tracing", () => {
    for (
      const path of [
        "/app/node_modules/effect-blocking/dist/internal/thread/index.js",
        "C:\\app\\node_modules\\effect-blocking\\dist\\internal\\thread\\index.js"
      ]
    ) {
      assert.include(
        missing(path),
        "Only pool threads load this file: if a tool traces the program's files, add this one to its trace"
      )
    }
  })

  it("F3: any other missing file gets advice about Node's loader", () => {
    assert.notInclude(missing("/app/effect-blocking-tasks.js"), "traced")
    assert.include(missing("/app/effect-blocking-tasks.js"), "A pool thread loads modules as Node does")
  })
})
