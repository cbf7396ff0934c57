/**
 * Makes the folder in which the benchmark runs, outside the repository: a copy of its modules, a
 * copy of the library as published (made by `npm run build`), and links to all other packages.
 * Inside the repository, `effect-blocking` would be its TypeScript sources.
 */
import { cpSync, existsSync, mkdirSync, mkdtempSync, readFileSync, realpathSync, symlinkSync } from "node:fs"
import { tmpdir } from "node:os"
import { dirname, join } from "node:path"

const own = {
  "effect-blocking": "blocking",
  "@effect-blocking/platform-node": "platform-node",
  "@effect-blocking/vitest": "vitest",
  "@effect-blocking/sqlite": "sqlite",
  "@effect-blocking/cluster": "cluster",
  "@effect-blocking/devtools": "devtools"
}

const modules = [
  "best.mjs",
  "child.mjs",
  "cluster.mjs",
  "measure.mjs",
  "names.mjs",
  "sqlite.mjs",
  "contenders",
  "rows",
  "package.json"
]

const installed = (name) => {
  const root = dirname(import.meta.dirname)
  const folder = [import.meta.dirname, root].map((from) => join(from, "node_modules", name)).find(existsSync)
  if (folder === undefined) throw new Error(`${name} is not installed: run npm install in ${root}`)
  return realpathSync(folder)
}

const versionOf = (folder) => JSON.parse(readFileSync(join(folder, "package.json"), "utf8")).version

/** Returns the folder and the versions of all packages in it. `packages` holds the packages of this library. */
export const stage = (packages) => {
  const folder = realpathSync(mkdtempSync(join(tmpdir(), "effect-blocking-benchmark-")))
  for (const name of modules) cpSync(join(import.meta.dirname, name), join(folder, name), { recursive: true })

  const { devDependencies } = JSON.parse(readFileSync(join(import.meta.dirname, "package.json"), "utf8"))
  const versions = {}
  for (const name of Object.keys(devDependencies)) {
    const target = join(folder, "node_modules", name)
    mkdirSync(dirname(target), { recursive: true })
    if (name in own) {
      const staged = join(packages, own[name], "dist")
      if (!existsSync(join(staged, "package.json"))) throw new Error(`${staged} is not staged: run npm run build`)
      cpSync(staged, target, { recursive: true })
    } else {
      symlinkSync(installed(name), target, "junction")
    }
    versions[name] = versionOf(target)
  }
  return { folder, versions }
}
