/** Follows every link of the built site, to its page and to the heading there. What leads out of the site is left alone. */
import { check, LinkState } from "linkinator"
import { join } from "node:path"

const { links } = await check({
  path: ".",
  serverRoot: join(import.meta.dirname, ".vitepress/dist"),
  recurse: true,
  cleanUrls: true,
  checkFragments: true,
  linksToSkip: (url) => Promise.resolve(!url.startsWith("http://localhost"))
})

const dead = links.filter(({ state }) => state === LinkState.BROKEN)
for (const { parent, status, url } of dead) console.error(`${parent} links to ${url}: ${status}`)
console.log(`${links.length} links followed, ${dead.length} dead`)
if (dead.length > 0 || links.length === 0) process.exit(1)
