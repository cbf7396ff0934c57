import { assert, describe, it } from "@effect/vitest"
import { UncaughtErrors } from "../../../src/internal/thread/uncaught.ts"
import * as protocol from "../../../src/internal/wire/protocol.ts"

const make = () => {
  const messages: Array<protocol.UncaughtMessage> = []
  const clock = { now: 0 }
  const uncaught = new UncaughtErrors((message) => void messages.push(message), () => clock.now)
  return { messages, clock, uncaught }
}

const counted = (messages: ReadonlyArray<protocol.UncaughtMessage>): number =>
  messages.reduce((sum, message) => sum + (message.length === 2 ? message[1] : 1), 0)

describe("uncaught errors", () => {
  it("F2: the first of a second are reported one by one, the others as a number, before those of the next", () => {
    const { clock, messages, uncaught } = make()
    for (let i = 0; i < 100; i++) uncaught.report(i, "t")
    assert.deepStrictEqual(messages.slice(0, 2), [[protocol.Uncaught, 0, "t"], [protocol.Uncaught, 1, "t"]])
    assert.strictEqual(messages.length, 10)
    clock.now = 1000
    uncaught.report("later", "t")
    assert.deepStrictEqual(messages.slice(10), [[protocol.Uncaught, 90], [protocol.Uncaught, "later", "t"]])
    uncaught.flush()
    assert.strictEqual(counted(messages), 101)
  })

  it("F2: errors that were only counted are reported once, when the thread retires", () => {
    const { messages, uncaught } = make()
    for (let i = 0; i < 12; i++) uncaught.report(undefined, undefined)
    uncaught.flush()
    uncaught.flush()
    assert.deepStrictEqual(messages.slice(10), [[protocol.Uncaught, 2]])
  })
})
