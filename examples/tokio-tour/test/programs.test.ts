/** Runs each program of the tour, and asserts what it shows. None of it is a time. */
import { assert, describe, it } from "@effect/vitest"
import { Array, Effect, Logger } from "effect"
import { spawnSync } from "node:child_process"
import { join } from "node:path"
import { programs } from "../src/programs.ts"

// One after the other: a program that holds the event loop would hold that of the others.
describe("the tour", { concurrent: false }, () => {
  it.live("read-file: the file is read on a pool thread", () =>
    Effect.gen(function*() {
      const { firstLine, reader } = yield* programs["read-file"].program
      assert.strictEqual(firstLine, "/** Reads a file with the call that blocks. */")
      assert.isAbove(reader, 0)
    }))

  it.live("parse-numbers: the line that is not a number is a domain error", () =>
    Effect.gen(function*() {
      assert.deepStrictEqual(yield* programs["parse-numbers"].program, {
        good: "their sum is 42",
        bad: "line 2 is \"four\", not a number"
      })
    }))

  it.live("panic: value, domain error and panic are apart, and the thread goes on", () =>
    Effect.gen(function*() {
      assert.deepStrictEqual(yield* programs["panic"].program, {
        lines: [
          "value         7",
          "domain error  42 by zero",
          "panic         TypeError: 42 / 1.5: not integers",
          "value         6"
        ],
        threadsStarted: 1
      })
    }))

  it.live("sleepers: as many are asleep at once as there are threads", () =>
    Effect.gen(function*() {
      const { atOnce, rounds } = yield* programs["sleepers"].program
      assert.strictEqual(atOnce, 8)
      // 100 on 8 threads: one thread has 13 of them at least.
      assert.isAtLeast(rounds, 13)
    }))

  it.live("join-handle: a detached task outlives its scope, and an abort ends what is queued or runs", () =>
    Effect.gen(function*() {
      assert.deepStrictEqual(yield* programs["join-handle"].program, {
        "awaited": "let go",
        "detached, its scope closed": "Running, then let go",
        "spawned, its scope closed": "Cancelled, Running, Terminated",
        "aborted while queued": "Cancelled, Queued, never ran",
        "aborted in an endless loop": "Cancelled, Running, Terminated",
        "aborted between checkpoints": "Cancelled, Running, Checkpoint"
      })
    }))

  it.live("cpu-and-timers: no timer fires beside a computation in place, and timers fire beside one on the pool", () =>
    Effect.gen(function*() {
      const { inPlace, onPool } = yield* programs["cpu-and-timers"].program
      assert.strictEqual(inPlace.primes, 148_933)
      assert.strictEqual(onPool.primes, 148_933)
      assert.strictEqual(inPlace.ticks, 0)
      assert.isAtLeast(inPlace.latest, inPlace.took - 20)
      assert.isAbove(onPool.ticks, 0)
    }))

  it.live("async-cpu-async: all logs are fetched at once, as many are summarized at once as there are threads", () =>
    Effect.gen(function*() {
      const { atOnce, posted } = yield* programs["async-cpu-async"].program
      assert.isAtMost(atOnce, 2)
      assert.deepStrictEqual(posted, Array.makeBy(8, () => ({ lines: 100_000, errors: 1000 })))
    }))

  it.live("http-client: the server answers threads that it would not answer one by one", () =>
    Effect.gen(function*() {
      assert.deepStrictEqual(yield* programs["http-client"].program, {
        answers: Array.makeBy(12, () => "hello"),
        missing: 404
      })
    }))

  it.live("database: each thread opens a connection at most, and all are closed with the pool", () =>
    Effect.gen(function*() {
      const { closed, counts, opened } = yield* programs["database"].program
      assert.deepStrictEqual(counts, Array.makeBy(50, (i) => Math.floor(100_000 / (i + 1))))
      assert.isAtLeast(opened, 1)
      assert.isAtMost(opened, 4)
      assert.strictEqual(closed, opened)
    }))

  it.live("nested: in place costs no thread, a run below a callback one each, up to twice maxThreads", () =>
    Effect.gen(function*() {
      assert.deepStrictEqual(yield* programs["nested"].program, { threadsInPlace: 0, threads: [1, 2, 3, 4], depth: 4 })
    }))

  // Windows has no `mkfifo`.
  it.live.skipIf(process.platform === "win32")("shutdown: it ends, and its log says how", () => {
    const log: Array<string> = []
    return Effect.gen(function*() {
      assert.deepStrictEqual(yield* programs["shutdown"].program, [
        "spin  Cancelled by Shutdown, Running, Terminated",
        "read  Cancelled by Shutdown, Running, Abandoned",
        "spin  Cancelled by Shutdown, Queued, never ran"
      ])
      assert.match(log.join("\n"), /1 cancelled in the queue, 1 terminated \(spin\), 1 abandoned \(read\)/)
    }).pipe(Effect.provide(Logger.layer([Logger.make(({ message }) => {
      log.push(`${message}`)
    })])))
  })

  it.live("thread-local: each thread counts its calls, and a moved argument is gone", () =>
    Effect.gen(function*() {
      const { counts, left } = yield* programs["thread-local"].program
      assert.deepStrictEqual(counts, [[1, 2, 3], [1, 2, 3]])
      assert.deepStrictEqual(left, {
        copied: { length: 1_000_000, first: 0 },
        moved: { length: 0, first: undefined },
        shared: { length: 1_000_000, first: 255 }
      })
    }))

  it("the program that is named runs alone, and for another name all names are shown", () => {
    const main = (name: string) =>
      spawnSync(process.execPath, [join(import.meta.dirname, "../src/main.ts"), name], { encoding: "utf8" })
    assert.match(main("panic").stdout, /^\n3\. A panic beside a domain error \(panic\)\n(?![^]*\d\. )/)
    const { status, stderr } = main("pancake")
    assert.strictEqual(status, 1)
    for (const name of Object.keys(programs)) assert.include(stderr, `"${name}"`)
  })
})
