/**
 * Pages link to each other, to examples and to sources by the paths of the repository, so that they can be read there as
 * well. This turns such a link into one of the site.
 */
import { existsSync } from "node:fs"
import { join, posix, relative } from "node:path"
import type { MarkdownRenderer } from "vitepress"

/** The heading under which a page of the site shows a source file of its example. */
export const anchorOf = (file: string): string => `source-${file.toLowerCase().replace(/[^a-z0-9]+/g, "-")}`

/** The address in the site of a path in the repository, or `undefined` if the site does not have it. */
const addressOf = (path: string, from: string): string | undefined => {
  const [, page] = /^docs\/(.+?)(\.md)?$/.exec(path) ?? []
  if (page !== undefined) return `/${page}`
  if (path === "README.md") return "/"
  const [, example, file] = /^examples\/([\w-]+)(?:\/(.+))?$/.exec(path) ?? []
  if (example === undefined || example === "README.md") return path.startsWith("examples") ? "/examples/" : undefined
  if (file === undefined || file === "README.md") return `/examples/${example}`
  return from === `examples/${example}/README.md` ? `#${anchorOf(file)}` : `/examples/${example}#${anchorOf(file)}`
}

export const siteLinks = (markdown: MarkdownRenderer, root: string): void => {
  markdown.core.ruler.push("site_links", (state) => {
    const { path } = state.env as { readonly path: string }
    const page = relative(root, path).replaceAll("\\", "/")
    // These pages are made of READMEs.
    const from = page
      .replace(/^docs\/examples\/index\.md$/, "examples/README.md")
      .replace(/^docs\/examples\/([\w-]+)\.md$/, "examples/$1/README.md")
    for (const { children } of state.tokens) {
      let unlinked = false
      for (const token of children ?? []) {
        if (token.type === "link_close" && unlinked) {
          token.type = "text"
          unlinked = false
        }
        const href = token.attrGet("href")
        if (token.type !== "link_open" || href === null || /^(\w+:|#|\/)/.test(href)) continue
        const [target = "", hash] = href.split("#")
        const linked = posix.normalize(posix.join(posix.dirname(from), target)).replace(/\/$/, "")
        if (!existsSync(join(root, linked))) throw new Error(`${from} links to ${href}, which does not exist`)
        const address = addressOf(linked, from)
        if (address === undefined) {
          // Only readers of the repository can follow it.
          token.type = "text"
          unlinked = true
        } else {
          token.attrSet("href", hash === undefined ? address : `${address}#${hash}`)
        }
      }
    }
  })
}
