import { globSync } from "node:fs"
import { dirname } from "node:path"
import { defineConfig } from "vitest/config"

export default defineConfig({
  test: {
    include: ["test/**/*.test.ts"],
    // Only a hang takes so long, however busy the machine is.
    testTimeout: 60_000,
    // Each test builds its own small pool and shares nothing.
    sequence: { concurrent: true },
    projects: [
      ...globSync(["packages/*/test", "examples/*/test"], { cwd: import.meta.dirname }).map(dirname).map((root) => ({
        extends: true as const,
        root,
        test: { name: root.replace("packages/", "") }
      })),
      { extends: true as const, root: "examples", test: { name: "examples", include: ["examples.test.ts"] } }
    ],
    // .ci/run repeats the counts of the JSON file as its last line.
    reporters: process.env.CI
      ? ["default", ["json", { outputFile: "node_modules/.cache/tests.json" }]]
      : ["default"]
  }
})
