/**
 * Compiles every TypeScript example of the documentation: the fences in the doc
 * comments of `packages/<name>/src`, and those of the Markdown pages. A fence that begins with
 * `// name.ts` is written under that name, so that the next one can import it.
 */
import { execFileSync } from "node:child_process"
import { globSync, mkdirSync, readFileSync, rmSync, writeFileSync } from "node:fs"
import { dirname, join } from "node:path"

const root = join(import.meta.dirname, "..")
const out = join(root, ".examples")

const pages = globSync(["README.md", "docs/**/*.md", "packages/*/src/*.ts"], { cwd: root }).sort()

rmSync(out, { recursive: true, force: true })
let count = 0
for (const page of pages) {
  const text = readFileSync(join(root, page), "utf8")
  const source = page.endsWith(".ts") ? text.replace(/^ \* ?/gm, "") : text
  const folder = join(out, page.replace(/\W/g, "_"))
  for (const [i, match] of Array.from(source.matchAll(/^```ts\n([^]*?)^```/gm)).entries()) {
    const code = match[1]!
    const file = join(folder, /^\/\/ (\w[\w-]*\.ts)\b/.exec(code)?.[1] ?? `example-${i + 1}.ts`)
    mkdirSync(dirname(file), { recursive: true })
    // An example is a module, whatever it declares.
    writeFileSync(file, `${code}\nexport {}\n`)
    count++
  }
}
writeFileSync(
  join(out, "tsconfig.json"),
  JSON.stringify({
    extends: "../tsconfig.tests.json",
    compilerOptions: { noUnusedLocals: false, tsBuildInfoFile: "./.tsbuildinfo" },
    include: ["."],
    exclude: [],
    references: [
      { path: "../packages/blocking" },
      { path: "../packages/platform-node" },
      { path: "../packages/vitest" }
    ]
  })
)
execFileSync(process.execPath, [join(root, "node_modules/typescript/bin/tsc"), "-b", out], { stdio: "inherit" })
rmSync(out, { recursive: true, force: true })
console.log(`${count} examples of ${pages.length} files compile`)
