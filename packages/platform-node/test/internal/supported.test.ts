import { assert, describe, it } from "@effect/vitest"
import { readFileSync } from "node:fs"
import { assertSupported } from "../../src/internal/supported.ts"

describe("supported versions of Node", () => {
  it("the oldest is the one that package.json names", () => {
    const { engines } = JSON.parse(readFileSync(new URL("../../package.json", import.meta.url), "utf8"))
    const oldest = engines.node.replace(">=", "")
    for (const version of [oldest, "22.23.3", "24.0.0", "26.1.0"]) assertSupported(version)
    for (const version of ["22.18.0", "20.19.5", "18.0.0"]) {
      assert.throws(() => assertSupported(version), `needs Node 22.19 or later, and this is Node ${version}`)
    }
  })
})
