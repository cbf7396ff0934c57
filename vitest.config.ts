import { defineConfig } from "vitest/config"
import projects from "./vitest.workspace.ts"

export default defineConfig({
  test: {
    include: ["test/**/*.test.ts"],
    // Only a hang takes so long, however busy the machine is.
    testTimeout: 60_000,
    // Each test builds its own small pool and shares nothing.
    sequence: { concurrent: true },
    // Most tests wait for threads and processes: Vitest's default, one core less, leaves it idle.
    maxWorkers: "100%",
    projects,
    // Tests provoke faults, and what is logged about them looks like a failure: only that of a failed test is shown.
    silent: "passed-only",
    // One line a file. Tests of threads and processes are slow by their nature.
    slowTestThreshold: Infinity,
    // .ci/run repeats the counts of the JSON file as its last line.
    reporters: process.env.CI
      ? ["default", ["json", { outputFile: "node_modules/.cache/tests.json" }]]
      : ["default"]
  }
})
