/**
 * Follows every link of the built site, to its page and to the heading there, and looks for pages to which none leads.
 * Links that leave the site are not followed.
 */
import { check, LinkState } from "linkinator"
import { globSync } from "node:fs"
import { join } from "node:path"

const site = join(import.meta.dirname, ".vitepress/dist")

const { links } = await check({
  path: site,
  recurse: true,
  cleanUrls: true,
  checkFragments: true,
  linksToSkip: ["^https?://(?!127\\.0\\.0\\.1|localhost)"]
})

const path = (url = "") => url.replace(site, "").replace(/\.html$|\/(index\.html)?$/, "")
const dead = links.filter(({ state }) => state === LinkState.BROKEN)
for (const { parent, status, url } of dead) {
  console.error(`${path(parent)} links to ${path(url)}: not there (${status})`)
}

const reached = new Set(links.map(({ url }) => path(url)))
const pages = globSync("**/*.html", { cwd: site, exclude: ["404.html"] }).map((file) => path(join(site, file)))
const lost = pages.filter((page) => !reached.has(page))
for (const page of lost) console.error(`no link leads to ${page}`)

console.log(`${links.length} links of ${pages.length} pages followed, ${dead.length} dead`)
if (dead.length > 0 || lost.length > 0) process.exit(1)
