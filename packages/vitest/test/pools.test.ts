/**
 * Runs the tests of an example and of errors in each of Vitest's own pools, with real and simulated threads,
 * and checks that the runs end.
 */
import { assert, describe, it } from "@effect/vitest"
import { execFile } from "node:child_process"
import { fileURLToPath } from "node:url"
import { promisify } from "node:util"

const root = fileURLToPath(new URL("../../..", import.meta.url))
const vitest = fileURLToPath(new URL("node_modules/vitest/vitest.mjs", `file://${root}`))

// One after the other, because each starts Vitest's own processes.
describe("Vitest's pools", { concurrent: false }, () => {
  for (const pool of ["forks", "threads", "vmThreads", "vmForks"]) {
    it(`${pool}: E1: the tests of the example and of realms pass, and the run ends`, async () => {
      // The parent run reports the result of this run.
      const { CI: _, ...env }: NodeJS.ProcessEnv = { ...process.env, NO_COLOR: "1" }
      const { stdout } = await promisify(execFile)(
        process.execPath,
        [vitest, "run", "--project", "examples/testing", "--project", "vitest", "Passwords", "realms", "--pool", pool],
        { cwd: root, env, timeout: 120_000, killSignal: "SIGKILL" }
      )
      assert.match(stdout, /Tests +9 passed \(9\)/)
    })
  }
})
