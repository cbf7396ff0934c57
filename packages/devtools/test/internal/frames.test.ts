import type { Watchdog } from "@effect-blocking/devtools"
import { assert, describe, it } from "@effect/vitest"
import { common, isBlockingCall, type RawFrame } from "../../src/internal/watchdog/frames.ts"
import { adviceFor, announcement, message } from "../../src/internal/watchdog/messages.ts"
import { Repeats } from "../../src/internal/watchdog/repeats.ts"
import { SourceMaps } from "../../src/internal/watchdog/sourceMaps.ts"

const raw = (name: string, url: string): RawFrame => ({
  name,
  url,
  line: 9,
  column: 4,
  functionKey: `${url}:${name}`,
  scriptId: url
})

const own = "file:///app/src/main.ts"
const frame = (name: string, url = own): Watchdog.Frame => new SourceMaps(new Map(), "/app").frame(raw(name, url))

describe("stacks", () => {
  it("W1: a stack taken after a native call is trusted if a blocking function of Node is below the innermost frame", () => {
    const scrypt = "node:internal/crypto/scrypt"
    assert.isTrue(isBlockingCall([raw("from", "node:buffer"), raw("scryptSync", scrypt), raw("hash", own)]))
    assert.isTrue(isBlockingCall([
      raw("slice", "node:buffer"),
      raw("processChunkSync", "node:zlib"),
      raw("pack", own)
    ]))
    // It was entered after the call had returned: the caller is no longer on the stack.
    assert.isFalse(isBlockingCall([raw("readFileSync", "node:fs"), raw("handle", own)]))
    assert.isFalse(isBlockingCall([raw("next", own), raw("handle", own)]))
    assert.isFalse(isBlockingCall([raw("get performance", "node:internal/util"), raw("handleSync", own)]))
    assert.isFalse(isBlockingCall([]))
  })

  it("W1: the culprit is the program's function that is on both stacks of a stall; a package's function is not", () => {
    const names = (before: ReadonlyArray<RawFrame>, after: ReadonlyArray<RawFrame>) =>
      common(before, after).map(({ name }) => name)
    const [loop, main] = [raw("loop", own), raw("main", own)]
    assert.deepStrictEqual(names([raw("a", own), loop, main], [raw("b", own), loop, main]), ["loop", "main"])
    assert.deepStrictEqual(names([loop, main], [loop, main]), ["loop", "main"])
    const library = "file:///app/node_modules/library/index.js"
    const clone = raw("clone", library)
    assert.deepStrictEqual(names([clone, loop], [raw("copy", library), clone, loop]), ["clone", "loop"])
    // Another callback of the event loop: the stall was over.
    assert.deepStrictEqual(names([loop], [raw("next", own)]), [])
    assert.deepStrictEqual(
      names([raw("a", own), raw("runLoop", library)], [raw("b", own), raw("runLoop", library)]),
      []
    )
    assert.deepStrictEqual(
      names([raw("processTimers", "node:internal/timers")], [raw("processTimers", "node:internal/timers")]),
      []
    )
  })

  it("W1: files are shown by their paths from the program's directory", () => {
    assert.deepStrictEqual(frame("hash"), {
      name: "hash",
      url: own,
      path: "src/main.ts",
      line: 10,
      column: 5,
      kind: "Program"
    })
    assert.deepInclude(frame("x", "/elsewhere/lib.js"), { path: "/elsewhere/lib.js", url: "file:///elsewhere/lib.js" })
    assert.deepInclude(frame("run", "file:///app/node_modules/lib/index.js"), {
      path: "node_modules/lib/index.js",
      kind: "Package"
    })
    assert.deepInclude(frame("readFileSync", "node:fs"), { path: "node:fs", kind: "Node" })
  })

  it("W1: the message has the culprit, the length and the advice", () => {
    const frames = [frame("scryptSync", "node:internal/crypto/scrypt"), frame("hash"), frame("", own)]
    const stall = { millis: 1234, stack: "After", frames, site: frames[1], advice: "Advice." } as const
    assert.strictEqual(
      message(stall, 0),
      "The event loop was blocked for 1.23 s by hash (src/main.ts:10:5), in scryptSync of node:crypto; the stack was taken " +
        "when the call returned. Advice.\n    at scryptSync (node:internal/crypto/scrypt:10:5)\n    at hash " +
        "(src/main.ts:10:5)\n    at an anonymous function (src/main.ts:10:5)"
    )
    assert.include(message(stall, 3), "(and 3 more times since this was last logged)")
    const unknown = { millis: 812, stack: "Unknown", frames: [], site: undefined, advice: "Advice." } as const
    assert.match(
      message(unknown, 0),
      /blocked for 812 ms by a native call that returned before its stack .* Advice\.$/
    )
    assert.match(
      message({ ...unknown, stack: "NotTaken" }, 0),
      /blocked for 812 ms, too short for a stack to be taken\. Advice\.$/
    )
    assert.match(
      announcement(2000, [frame("spin")]),
      /blocked for 2\.00 s and still is, by spin \(src\/main\.ts:10:5\)$/
    )
    assert.match(announcement(2000, []), /by one native call, or code whose stack was not taken yet$/)
  })

  it("W1: the advice names the task, or how to make one", () => {
    assert.strictEqual(
      adviceFor([frame("hash")], ["hash", "verify"]),
      "It is a task: run it with Blocking.run(hash, …)"
    )
    assert.include(adviceFor([frame("other")], ["hash", "verify"]), "the tasks hash, verify")
    assert.include(adviceFor([frame("Report.render")], []), "Task.make(import.meta.url, \"render\", …)")
    assert.include(adviceFor([frame("")], []), "\"work\"")
    assert.include(adviceFor([], []), "Blocking.run")
  })

  it("W1: a call site is logged once per period, with the number of stalls that were left out", () => {
    const repeats = new Repeats(1000)
    assert.strictEqual(repeats.take("a", 0), 0)
    assert.isUndefined(repeats.take("a", 999))
    assert.strictEqual(repeats.take("b", 999), 0)
    assert.isUndefined(repeats.take("a", 999))
    assert.strictEqual(repeats.take("a", 1000), 2)
    for (let i = 0; i < 1000; i++) repeats.take(`site ${i}`, 1001)
    assert.strictEqual(repeats.take("a", 1002), 0, "the number of sites is bounded")
    for (let i = 0; i < 1000; i++) repeats.label(`site ${i}`)
    assert.strictEqual(repeats.label("site 0"), "site 0")
    assert.strictEqual(repeats.label("site 999"), "other")
  })
})
