import { readdirSync } from "node:fs"
import { defineConfig } from "vitest/config"

export default defineConfig({
  test: {
    include: ["test/**/*.test.ts"],
    // Only a hang takes so long, however busy the machine is.
    testTimeout: 60_000,
    // Each test builds its own small pool and shares nothing.
    sequence: { concurrent: true },
    projects: readdirSync("packages").map((name) => ({
      extends: true,
      root: `packages/${name}`,
      test: { name }
    })),
    // .ci/run repeats the counts of the JSON file as its last line.
    reporters: process.env.CI
      ? ["default", ["json", { outputFile: "node_modules/.cache/tests.json" }]]
      : ["default"]
  }
})
