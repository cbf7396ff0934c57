import { BlockingTest } from "@effect-blocking/vitest"
import { assert, describe, it, vi } from "@effect/vitest"
import { Deferred, Effect, Exit, Layer } from "effect"
import { Blocking } from "effect-blocking"
import { execFile } from "node:child_process"
import { fileURLToPath } from "node:url"
import * as Tasks from "./fixtures/tasks.ts"
import { makeLog } from "./utils/log.ts"

// Vitest would fail the run for each of these errors that reaches the process.
describe("late errors of a body", () => {
  for (const task of [Tasks.late, Tasks.rejecting]) {
    it.live(`F2: ${task.name}: the pool reports the error with the task, and other tasks run`, () => {
      const log = makeLog()
      return Effect.gen(function*() {
        assert.strictEqual(yield* Blocking.run(task, "left behind"), "returned")
        const line = yield* log.line("Uncaught error")
        assert.include(line, `the last task there was "${task.name}"`)
        assert.strictEqual(yield* Blocking.run(Tasks.add, 1, 2), 3)
      }).pipe(Effect.provide(Layer.provideMerge(BlockingTest.layer(), log.layer)))
    })
  }

  it.live("F2: after the layer has closed, a warning names the task", () =>
    Effect.gen(function*() {
      const warned = { timer: Deferred.makeUnsafe<string>(), release: Deferred.makeUnsafe<string>() }
      const warn = vi.spyOn(console, "warn").mockImplementation((line: string, error: Error) => {
        if (error?.message === "left by a test") Deferred.doneUnsafe(warned.timer, Exit.succeed(line))
        if (error?.message === "left by a release") Deferred.doneUnsafe(warned.release, Exit.succeed(line))
      })
      yield* Effect.addFinalizer(() => Effect.sync(() => warn.mockRestore()))
      yield* Effect.andThen(Blocking.run(Tasks.late, "left by a test"), Blocking.run(Tasks.uses)).pipe(
        Effect.provide(BlockingTest.layer())
      )
      assert.include(yield* Deferred.await(warned.timer), `Task "late" left work behind that failed`)
      assert.include(yield* Deferred.await(warned.release), `Task "uses" left work behind that failed`)
    }).pipe(Effect.scoped))

  it("an error of the program itself still ends the program", async () => {
    const program = fileURLToPath(new URL("fixtures/strayProgram.ts", import.meta.url))
    const { code, stderr, stdout } = await new Promise<{ code: unknown; stdout: string; stderr: string }>((resolve) =>
      execFile(
        process.execPath,
        [program],
        { timeout: 60_000, killSignal: "SIGKILL" },
        (error, stdout, stderr) => resolve({ code: error?.code, stdout, stderr })
      )
    )
    assert.deepStrictEqual([code, stdout], [1, "2 told, then exit code 1"])
    assert.include(stderr, "the program's own")
  })
})
