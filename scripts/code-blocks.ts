/**
 * Compiles and runs every TypeScript code block of the documentation: the fences of the Markdown pages, and those in
 * the doc comments of `packages/<name>/src`. Each block is a module. A block that begins with `// name.ts` is written
 * under that name, so that the other blocks of its page can import it.
 *
 * A block runs in a process of its own, which must end with code 0. If the block has `// =>` comments, its output must
 * equal them, line by line. A block marked `serves` gets SIGTERM after its first line of output. Windows has no such
 * signal and ends the process, so only the output counts there. A block that is a test runs in Vitest. A block marked
 * `compiles` is not run, because it needs other programs.
 *
 *     node scripts/code-blocks.ts [page …]
 */
import { execFile, spawnSync } from "node:child_process"
import { globSync, mkdirSync, readFileSync, rmSync, writeFileSync } from "node:fs"
import { availableParallelism } from "node:os"
import { dirname, join, relative } from "node:path"

const root = join(import.meta.dirname, "..")
const out = join(root, ".code-blocks")
const bin = (path: string): string => join(root, "node_modules", path)

const windows = process.platform === "win32"

const fail = (message: string): never => {
  console.error(message)
  process.exit(1)
}

interface Block {
  readonly page: string
  /** The number of its first line in the page. */
  readonly line: number
  readonly file: string
  readonly mark: "serves" | "compiles" | undefined
  readonly code: string
}

const blocksOf = (page: string): Array<Block> => {
  const text = readFileSync(join(root, page), "utf8")
  // Replaces within lines, so that line numbers stay.
  const markdown = page.endsWith(".ts") ? text.replace(/^ *\* ?/gm, "") : text
  const folder = join(out, page.replace(/\W/g, "_"))
  const found = Array.from(markdown.matchAll(/^```ts(?: (serves|compiles))?\n([^]*?)^```/gm))
  // A fence that is indented or marked otherwise would be skipped silently.
  const written = Array.from(markdown.matchAll(/^\s*```(ts|tsx|typescript)\b/gm)).length
  if (found.length !== written) fail(`${page} has ${written} TypeScript fences, but only ${found.length} can be run`)
  return found.map(({ 1: mark, 2: code = "", index }, i) => ({
    page,
    line: markdown.slice(0, index).split("\n").length + 1,
    file: join(folder, /^\/\/ (\w[\w-]*(?:\.test)?\.ts)\b/.exec(code)?.[1] ?? `block-${i + 1}.ts`),
    mark: mark as Block["mark"],
    code
  }))
}

const pages = globSync(
  process.argv.length > 2
    ? process.argv.slice(2)
    : ["{README,CONTRIBUTING}.md", "docs/*.md", "{examples,packages}/*/README.md", "packages/*/src/*.ts"],
  { cwd: root }
).sort()
const blocks = pages.flatMap(blocksOf)

const write = (): void => {
  for (const { code, file } of blocks) {
    mkdirSync(dirname(file), { recursive: true })
    // Makes every block a module.
    writeFileSync(file, `${code}export {}\n`)
  }
}

const compile = (): void => {
  const config = {
    extends: "../tsconfig.tests.json",
    compilerOptions: { noUnusedLocals: false, noUnusedParameters: false, tsBuildInfoFile: "./.tsbuildinfo" },
    // Listed by name: a pattern silently finds nothing below a folder whose name begins with a dot.
    files: blocks.map(({ file }) => relative(out, file)),
    include: [],
    references: [
      { path: "../packages/blocking" },
      { path: "../packages/devtools" },
      { path: "../packages/platform-node" },
      { path: "../packages/vitest" },
      { path: "../packages/sqlite" },
      { path: "../packages/cluster" }
    ]
  }
  writeFileSync(join(out, "tsconfig.json"), JSON.stringify(config))
  const { status, stdout } = spawnSync(process.execPath, [bin("typescript/bin/tsc"), "-b", out, "--pretty", "false"], {
    cwd: out,
    encoding: "utf8"
  })
  if (status === 0) return
  fail(stdout.replace(/^(\S+\.ts)\((\d+),(\d+)\)/gm, (text, path, line, column) => {
    const block = blocks.find(({ file }) => file === join(out, path))
    return block === undefined ? text : `${block.page}:${block.line + Number(line) - 1}:${column}`
  }))
}

/** Runs a block. Returns a description of the problem, or `undefined`. */
const run = ({ code, file, line, mark, page }: Block): Promise<string | undefined> =>
  new Promise((resolve) => {
    const place = `${page}:${line}`
    const child = execFile(
      process.execPath,
      [file],
      { timeout: 60_000, killSignal: "SIGKILL" },
      (error, stdout, stderr) => {
        const wanted = Array.from(code.matchAll(/\/\/ => (.*)$/gm), ({ 1: text }) => text).join("\n")
        // On Windows only the signal ends a server, which then has no exit code.
        const ended = windows && mark === "serves" && error?.signal === "SIGTERM"
        if (error !== null && !ended) {
          resolve(`${place} ended with ${error.code ?? error.signal}\n${stdout}${stderr}`)
        } else if (wanted !== "" && stdout.trimEnd() !== wanted) {
          resolve(`${place} should print\n${wanted}\nbut prints\n${stdout}${stderr}`)
        } else {
          resolve(undefined)
        }
      }
    )
    if (mark === "serves") child.stdout?.once("data", () => child.kill("SIGTERM"))
  })

const runPrograms = async (programs: ReadonlyArray<Block>): Promise<void> => {
  const next = programs.values()
  const failures: Array<string> = []
  await Promise.all(Array.from({ length: availableParallelism() }, async () => {
    for (const block of next) {
      const failure = await run(block)
      if (failure !== undefined) failures.push(failure)
    }
  }))
  if (failures.length > 0) fail(failures.join("\n\n"))
}

const runTests = (tests: ReadonlyArray<Block>): void => {
  if (tests.length === 0) return
  const include = tests.map(({ file }) => relative(out, file).replaceAll("\\", "/"))
  writeFileSync(
    join(out, "vitest.config.mjs"),
    `export default ${JSON.stringify({ test: { include, silent: "passed-only" } })}\n`
  )
  const { status } = spawnSync(process.execPath, [bin("vitest/vitest.mjs"), "run", "--root", out], { stdio: "inherit" })
  if (status !== 0) fail("A code block that is a test fails")
}

rmSync(out, { recursive: true, force: true })
write()
compile()
const isTest = ({ code }: Block): boolean => code.includes("\"@effect/vitest\"")
await runPrograms(blocks.filter((block) => !isTest(block) && block.mark !== "compiles"))
runTests(blocks.filter(isTest))
rmSync(out, { recursive: true, force: true })
const count = new Set(blocks.map(({ page }) => page)).size
console.log(`${blocks.length} code blocks of ${count} pages compile and run`)
