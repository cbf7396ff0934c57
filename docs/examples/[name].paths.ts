/** A page for each example: its README, and its sources. */
import { globSync, readFileSync } from "node:fs"
import { join } from "node:path"
import { anchorOf } from "../.vitepress/siteLinks.ts"

const root = join(import.meta.dirname, "../../examples")

const content = (name: string): string => {
  const folder = join(root, name)
  const readme = readFileSync(join(folder, "README.md"), "utf8")
    .replace(/\]\(([\w-]+\.png)\)/g, `](../../examples/${name}/$1)`)
  const sources = globSync(["src/**/*.ts", "test/**/*.ts"], { cwd: folder }).sort().map((file) =>
    `### ${file} {#${anchorOf(file)}}\n\n\`\`\`ts\n${readFileSync(join(folder, file), "utf8")}\`\`\``
  )
  return [readme, "## Sources", ...sources].join("\n\n")
}

export default {
  paths: () =>
    globSync("*/README.md", { cwd: root }).map((file) => file.split(/[\\/]/)[0]!).sort()
      .map((name) => ({ params: { name }, content: content(name) }))
}
