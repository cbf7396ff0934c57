/** The test projects: each package, each example that has tests, and the examples as programs. */
import { globSync } from "node:fs"
import { dirname } from "node:path"

const roots = globSync(["packages/*/test", "examples/*/test"], { cwd: import.meta.dirname }).map(dirname)

export default [
  ...roots.map((root) => ({ extends: true as const, root, test: { name: root.replace("packages/", "") } })),
  { extends: true as const, root: "examples", test: { name: "examples", include: ["examples.test.ts"] } }
]
