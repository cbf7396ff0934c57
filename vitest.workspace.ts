/** The test projects: each package, each example that has tests, and the examples as programs. */
import { globSync } from "node:fs"
import { dirname } from "node:path"

const roots = globSync(["packages/*/test", "examples/*/test"], { cwd: import.meta.dirname }).map(dirname)

/** Projects whose files run one at a time, after all others: they measure time, and other tests would take the processors. */
const alone = new Set(["packages/devtools"])

export default [
  ...roots.map((root) => ({
    extends: true as const,
    root,
    test: {
      name: root.replace("packages/", ""),
      ...(alone.has(root.replaceAll("\\", "/")) ? { fileParallelism: false, sequence: { groupOrder: 1 } } : {})
    }
  })),
  { extends: true as const, root: "examples", test: { name: "examples", include: ["examples.test.ts"] } }
]
