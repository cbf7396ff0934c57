import { assert, describe, it } from "@effect/vitest"
import { Deferred, Effect, Exit, Fiber } from "effect"
import type { ChildProcess } from "node:child_process"
import { readFileSync } from "node:fs"
import * as native from "./fixtures/native.ts"
import * as Program from "./utils/program.ts"

const limit = { timeout: 40_000 }

type Body = "read" | "sleep" | "derive" | "none"

/** Runs a program with a thread in `body`, which ends by `end`; a printed line triggers its signal. */
const stuck = (body: Body, end: string, signals: Readonly<Record<string, NodeJS.Signals>> = {}) =>
  native.withFifo((fifo) =>
    Effect.map(
      Program.run("stuck.ts", { argv: [body, end, fifo.path], onStdout: sending(signals) }),
      ({ code, signal, stderr, stdout }) => {
        // The orphan has another parent, and the test ends it.
        if (body === "sleep") process.kill(Number(readFileSync(`${fifo.path}.pid`, "utf8")), "SIGKILL")
        const output = `${"x".repeat(1_000_000)}\nend of the output\n`
        assert.isTrue(stdout.startsWith(output), "some of the output is lost")
        const listeners = readFileSync(`${fifo.path}.notes`, "utf8")
        return { code: code ?? signal, stderr, listeners, lines: stdout.slice(output.length) }
      }
    )
  )

/** Sends each signal once, when the program has printed the line for it. */
const sending = (signals: Readonly<Record<string, NodeJS.Signals>>) => {
  const left = new Map(Object.entries(signals))
  return (text: string, child: ChildProcess): void => {
    for (const [line, signal] of left) {
      if (!text.includes(line)) continue
      left.delete(line)
      child.kill(signal)
    }
  }
}

const both = (code: number): string => `first listener ${code}\nsecond listener ${code}\n`

// One after the other: each is a process with threads that keep a core busy, and other tests run at the same time.
describe.skipIf(process.platform === "win32")("exit", { concurrent: false }, () => {
  for (const body of ["read", "sleep", "derive"] as const) {
    it.live(`D5: a program with a thread in ${body} exits with 0 after a success`, () =>
      Effect.gen(function*() {
        const { lines, ...ended } = yield* stuck(body, "success")
        assert.deepStrictEqual(ended, { code: 0, stderr: "", listeners: both(0) })
        assert.include(lines, `could not be terminated and was abandoned; it runs task "${body}" {`)
        assert.include(lines, `1 abandoned (${body})`)
      }), limit)

    it.live(`D5: a program with a thread in ${body} exits with 1 after a failure`, () =>
      Effect.gen(function*() {
        const { lines, ...ended } = yield* stuck(body, "failure")
        assert.deepStrictEqual(ended, { code: 1, stderr: "", listeners: both(1) })
        assert.include(lines, "the program failed")
      }), limit)

    it.live(`D5: a program with a thread in ${body} exits with the code of its teardown`, () =>
      Effect.gen(function*() {
        const { code, listeners } = yield* stuck(body, "teardown")
        assert.deepStrictEqual({ code, listeners }, { code: 9, listeners: both(9) })
      }), limit)

    it.live(
      `D5: process.exit ends a program with a thread in ${body} that was not terminated`,
      () =>
        Effect.gen(function*() {
          const ended = yield* stuck(body, "exit")
          assert.deepStrictEqual(ended, { code: 7, lines: "", stderr: "", listeners: both(7) })
        }),
      limit
    )
  }

  it.live("D5: an uncaught error is printed and ends the program", () =>
    Effect.gen(function*() {
      const { stderr, ...ended } = yield* stuck("read", "throw")
      assert.deepStrictEqual(ended, { code: 1, lines: "", listeners: both(1) })
      assert.include(stderr, "Error: uncaught\n    at ")
    }), limit)

  const atExit = { exitCode: "sets the code", exitAgain: "exits again", exitThrows: "throws" }
  for (const [end, what] of Object.entries(atExit)) {
    it.live(`D5: an exit listener that ${what} has the same effect as without a thread`, () =>
      Effect.gen(function*() {
        const [held, free] = yield* Effect.all([stuck("read", end), stuck("none", end)])
        assert.deepStrictEqual([held.code, held.listeners], [free.code, free.listeners])
        if (end === "exitThrows") assert.include(held.stderr, "Error: a listener failed\n    at ")
        else assert.strictEqual(held.stderr, "")
      }), limit)
  }

  it.live(
    "D5: where a process cannot be replaced it is killed, after the listeners",
    () =>
      native.withFifo((fifo) =>
        Effect.gen(function*() {
          const { code, signal, stderr } = yield* Program.run("stuck.ts", {
            args: ["--import", "data:text/javascript,process.execve=undefined"],
            argv: ["read", "teardown", fifo.path]
          })
          assert.deepStrictEqual({ code, signal, stderr }, { code: null, signal: "SIGKILL", stderr: "" })
          assert.strictEqual(readFileSync(`${fifo.path}.notes`, "utf8"), both(9))
        })
      ),
    limit
  )

  const withoutExecve = {
    "without execve": ["--import", "data:text/javascript,process.execve=undefined"],
    "under the permission model": ["--permission", "--allow-worker", "--allow-fs-read=*", "--allow-fs-write=*"]
  }
  for (const [where, args] of Object.entries(withoutExecve)) {
    it.live(
      `D5: ${where} a program with a thread in JavaScript exits with its code`,
      () =>
        native.withFifo((fifo) =>
          Effect.gen(function*() {
            for (const [end, expected] of [["teardown", 9], ["exit", 7], ["throw", 1], ["exitCode", 12]] as const) {
              const argv = ["spin", end, fifo.path]
              const { code, signal, stderr } = yield* Program.run("stuck.ts", { args, argv })
              assert.deepStrictEqual({ end, code, signal }, { end, code: expected, signal: null }, stderr)
            }
          })
        ),
      limit
    )

    it.live(
      `D5: ${where} a program with an idle thread exits with its code`,
      () =>
        native.withFifo((fifo) =>
          Effect.gen(function*() {
            const { code, signal } = yield* Program.run("stuck.ts", { args, argv: ["none", "exit", fifo.path] })
            assert.deepStrictEqual({ code, signal }, { code: 7, signal: null })
          })
        ),
      limit
    )
  }

  it.live("D6: SIGTERM and SIGINT end a program with a thread in native code", () =>
    Effect.gen(function*() {
      for (const signal of ["SIGTERM", "SIGINT"] as const) {
        const { lines, ...ended } = yield* stuck("read", "signal", { ready: signal })
        assert.deepStrictEqual(ended, { code: 130, stderr: "", listeners: both(130) })
        assert.isTrue(lines.startsWith(`ready\ngot ${signal}\n`), lines)
        assert.include(lines, "1 abandoned (read)")
      }
    }), limit)

  it.live("D6: the third signal exits at once, with its own code", () =>
    Effect.gen(function*() {
      const byInt = yield* stuck("read", "ignore", {
        ready: "SIGINT",
        "got SIGINT": "SIGTERM",
        "got SIGTERM": "SIGINT"
      })
      assert.deepInclude(byInt, { code: 130, listeners: both(130) })
      const byTerm = yield* stuck("read", "ignore", {
        ready: "SIGTERM",
        "got SIGTERM": "SIGINT",
        "got SIGINT": "SIGTERM"
      })
      assert.deepInclude(byTerm, { code: 143, listeners: both(143) })
    }), limit)

  it.live("D6: the second signal forces a pool that shuts down", () =>
    Effect.gen(function*() {
      const { code, stdout } = yield* Program.run("forced.ts", {
        onStdout: sending({ ready: "SIGTERM", "got SIGTERM": "SIGINT" })
      })
      assert.strictEqual(code, 130)
      assert.include(stdout, "0 cancelled in the queue, 1 terminated (spin), 0 abandoned")
      assert.include(stdout, "cleaned 1\n")
    }), limit)

  it.live("D6: the second signal ends the task that an uninterruptible region waits for", () =>
    Effect.gen(function*() {
      const { code, stdout } = yield* Program.run("forced.ts", {
        argv: ["uninterruptible"],
        onStdout: sending({ ready: "SIGINT", "got SIGINT": "SIGTERM" })
      })
      assert.strictEqual(code, 130)
      assert.include(stdout, "1 terminated (spin), 0 abandoned")
      assert.include(stdout, "cleaned 1\n")
    }), limit)

  it.live("D6: the same signal several times at once counts once", () =>
    Effect.gen(function*() {
      const { code, stdout } = yield* Program.run("repeated.ts")
      assert.deepStrictEqual({ code, stdout }, { code: 130, stdout: "cleaned\n" })
    }), limit)

  it.live(
    "D5: without runMain the thread blocks the exit, and the log says so",
    () =>
      native.withFifo((fifo) =>
        Effect.gen(function*() {
          const [started, listened] = [Deferred.makeUnsafe<ChildProcess>(), Deferred.makeUnsafe<void>()]
          const program = yield* Effect.forkChild(
            Program.run("held.ts", {
              argv: [fifo.path],
              onStart: (child) => Deferred.doneUnsafe(started, Exit.succeed(child)),
              onStdout: (text) => {
                if (text.includes("last listener")) Deferred.doneUnsafe(listened, Exit.void)
              }
            }),
            { startImmediately: true }
          )
          const child = yield* Deferred.await(started)
          yield* fifo.entered
          child.stdin!.write("go on\n")
          yield* Deferred.await(listened)
          // A missing exit has no event. Too short a wait would only find less.
          yield* Effect.sleep("300 millis")
          assert.isUndefined(program.pollUnsafe())
          yield* fifo.release
          const { code, stdout } = yield* Fiber.join(program)
          assert.strictEqual(code, 1)
          assert.include(
            stdout,
            "could not be terminated and was abandoned; it runs task \"read\". " +
              "It keeps the process from exiting for as long as it is in native code. A program that is started with " +
              "NodeBlocking.runMain exits nevertheless; the task of a pool with isolation: \"process\" can be killed"
          )
        })
      ),
    limit
  )
})
