import { assert, describe, it } from "@effect/vitest"
import { Heartbeat } from "../../src/internal/watchdog/shared.ts"

describe("what both threads share", () => {
  it("W2: a heartbeat and whether an inspector is open are seen together, and the longest gap once", () => {
    const memory = Heartbeat.memory()
    const [program, watchdog] = [new Heartbeat(memory), new Heartbeat(memory)]
    assert.deepStrictEqual(watchdog.last, { beats: 0, debugged: false })
    program.beat(50, { now: 1000, waitedMillis: 3 }, false)
    program.beat(70, { now: 1070, waitedMillis: 4 }, true)
    program.beat(60, { now: 1130, waitedMillis: 5 }, true)
    assert.deepStrictEqual(watchdog.last, { beats: 3, debugged: true })
    assert.strictEqual(watchdog.beatAt, 1130)
    assert.strictEqual(watchdog.waitedMillis, 5)
    assert.strictEqual(watchdog.takeGap(), 70)
    assert.strictEqual(watchdog.takeGap(), 0)
    program.beat(50, { now: 1180, waitedMillis: 5 }, false)
    assert.deepStrictEqual(watchdog.last, { beats: 4, debugged: false })
  })
})
