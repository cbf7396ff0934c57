/**
 * Compiles a library that uses the built packages to declarations, and then a user of those declarations, with each
 * supported version of TypeScript. Declarations may name only public modules: any other name is an error for the user,
 * or silently `any`.
 */
import { spawnSync } from "node:child_process"
import { cpSync, mkdirSync, mkdtempSync, readFileSync, rmSync, symlinkSync, writeFileSync } from "node:fs"
import { createRequire } from "node:module"
import { tmpdir } from "node:os"
import { dirname, join } from "node:path"

const root = join(import.meta.dirname, "..")
const compilers = {
  "TypeScript 5.9": join(root, "scripts", "typescript5"),
  "TypeScript 6": join(root, "scripts", "typescript6"),
  "TypeScript 7": root
}
const options = "--strict --exactOptionalPropertyTypes --skipLibCheck --target es2024 --module nodenext --types node " +
  "--pretty false"

const folder = mkdtempSync(join(tmpdir(), "effect-blocking-declarations-"))
const failures: Array<string> = []

const compile = (compiler: string, args: string): string => {
  const tsc = join(
    dirname(createRequire(join(compiler, "package.json")).resolve("typescript/package.json")),
    "bin",
    "tsc"
  )
  const { status, stderr, stdout } = spawnSync(process.execPath, [tsc, ...`${options} ${args}`.split(" ")], {
    cwd: folder,
    encoding: "utf8",
    timeout: 120_000
  })
  return status === 0 ? "" : `ended with ${status}\n${stdout}${stderr}`
}

try {
  for (const name of ["library.ts", "user.ts"]) cpSync(join(root, "scripts", "declarations", name), join(folder, name))
  writeFileSync(join(folder, "package.json"), JSON.stringify({ name: "library", private: true, type: "module" }))
  const modules = join(folder, "node_modules")
  mkdirSync(join(modules, "@effect-blocking"), { recursive: true })
  for (const name of ["effect", "@effect", "@types", "vitest"]) {
    symlinkSync(join(root, "node_modules", name), join(modules, name), "junction")
  }
  // Copied, like an installation: a link would lead back to the sources.
  for (
    const [folder, name] of [
      ["blocking", "effect-blocking"],
      ["devtools"],
      ["platform-node"],
      ["vitest"],
      ["sqlite"],
      ["cluster"]
    ] as const
  ) {
    cpSync(join(root, "packages", folder, "dist"), join(modules, name ?? `@effect-blocking/${folder}`), {
      recursive: true
    })
  }
  for (const [name, compiler] of Object.entries(compilers)) {
    const lib = join(folder, "lib")
    rmSync(lib, { recursive: true, force: true })
    let problem = compile(compiler, "--declaration --emitDeclarationOnly --outDir lib --rootDir . library.ts")
    if (problem === "") {
      const declared = readFileSync(join(lib, "library.d.ts"), "utf8")
      problem = declared.split("\n").filter((line) => line.includes("/internal/")).join("\n")
    }
    if (problem === "") problem = compile(compiler, "--noEmit user.ts")
    console.log(
      `${problem === "" ? "ok   " : "FAIL "} declarations with ${name}${problem === "" ? "" : `\n${problem}`}`
    )
    if (problem !== "") failures.push(name)
  }
} finally {
  rmSync(folder, { recursive: true, force: true })
}

if (failures.length > 0) {
  console.error(`Declarations fail with ${failures.join(", ")}`)
  process.exit(1)
}
