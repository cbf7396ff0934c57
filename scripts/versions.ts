/** Writes the versions of package.json into the sources that name them. `npm run release:version` runs it after changesets. */
import { globSync, readFileSync, writeFileSync } from "node:fs"
import { join } from "node:path"

const root = join(import.meta.dirname, "..")

for (const file of globSync("packages/*/src/internal/version.ts", { cwd: root })) {
  const [packages, name] = file.split(/[\\/]/) as [string, string]
  const { version } = JSON.parse(readFileSync(join(root, packages, name, "package.json"), "utf8"))
  const source = readFileSync(join(root, file), "utf8")
  writeFileSync(join(root, file), source.replace(/(version = )"[^"]*"/, `$1"${version}"`))
}
