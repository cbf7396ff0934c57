/** The test projects: each package, each example that has tests, and the examples as programs. */
import { globSync } from "node:fs"
import { dirname } from "node:path"

const roots = globSync(["packages/*/test", "examples/*/test"], { cwd: import.meta.dirname }).map(dirname)

/** Behind all others, because others would take the processors whose absence they tell of. */
const alone = new Set(["packages/devtools"])

export default [
  ...roots.map((root) => ({
    extends: true as const,
    root,
    test: {
      name: root.replace("packages/", ""),
      sequence: { groupOrder: alone.has(root.replaceAll("\\", "/")) ? 1 : 0 }
    }
  })),
  { extends: true as const, root: "examples", test: { name: "examples", include: ["examples.test.ts"] } }
]
