import { assert, describe, it } from "@effect/vitest"
import { readFileSync } from "node:fs"
import * as Version from "../../../src/internal/wire/version.ts"

describe("version", () => {
  it("is that of package.json", () => {
    const { version } = JSON.parse(readFileSync(new URL("../../../package.json", import.meta.url), "utf8"))
    assert.strictEqual(Version.current.version, version)
  })

  it("two copies of one version work together, wherever they are", () => {
    assert.isUndefined(Version.conflict(Version.current, { ...Version.current, place: "file:///other" }))
  })

  it("another version, or another protocol, is refused by name, with both places and what to do", () => {
    for (const other of [{ version: "9.9.9" }, { protocol: 9 }]) {
      const refusal = Version.conflict(Version.current, { ...Version.current, ...other, place: "file:///other" })!
      assert.include(refusal, Version.current.place)
      assert.include(refusal, "file:///other")
      assert.include(refusal, "npm ls effect-blocking")
    }
    assert.include(Version.conflict(Version.current, undefined)!, "one without a number")
  })
})
