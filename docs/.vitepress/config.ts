import { readFileSync } from "node:fs"
import { dirname, join } from "node:path"
import { defineConfig } from "vitepress"
import { siteLinks } from "./siteLinks.ts"

const docs = dirname(import.meta.dirname)

const guide = [
  { text: "Getting started", link: "/getting-started" },
  { text: "Choosing", link: "/choosing" },
  { text: "Errors", link: "/errors" },
  { text: "Cancellation and shutdown", link: "/cancellation-and-shutdown" },
  { text: "Sizing and back-pressure", link: "/sizing" },
  { text: "Moving data", link: "/moving-data" },
  { text: "Per-thread state", link: "/per-thread-state" },
  { text: "Many items", link: "/parallel" },
  { text: "Streams", link: "/streams" },
  { text: "Calls to the program", link: "/callbacks" },
  { text: "SQLite", link: "/sqlite" },
  { text: "From other SQLite drivers", link: "/from-sqlite-drivers" },
  { text: "More than one machine", link: "/cluster" },
  { text: "From BullMQ and Temporal", link: "/from-job-queues" },
  { text: "Process isolation", link: "/process-isolation" },
  { text: "Exit", link: "/exit" },
  { text: "Devtools", link: "/devtools" },
  { text: "Testing", link: "/testing" },
  { text: "Build and deploy", link: "/build-and-deploy" },
  { text: "Performance", link: "/performance" },
  { text: "Pitfalls", link: "/pitfalls" },
  { text: "Comparison", link: "/comparison" },
  { text: "Coming from Tokio", link: "/tokio" }
]

/** In the order of their page. */
const examples = Array.from(
  readFileSync(join(docs, "../examples/README.md"), "utf8").matchAll(/^\| \[([\w-]+)\]/gm),
  ({ 1: name = "" }) => ({ text: name, link: `/examples/${name}` })
)

const module = (page: string, text: string) => ({ text, link: `/api/${page}` })

export default defineConfig({
  title: "effect-blocking",
  description: "Runs synchronous work on a pool of threads: Tokio's spawn_blocking for Effect",
  // Where the site is served, if not at the root of its host.
  base: process.env.DOCS_BASE ?? "/",
  cleanUrls: true,
  srcExclude: ["node_modules", "api/**/README.md"],
  markdown: { config: (markdown) => siteLinks(markdown, join(docs, "..")) },
  themeConfig: {
    search: { provider: "local" },
    outline: [2, 3],
    nav: [
      { text: "Guide", link: "/getting-started" },
      { text: "Examples", link: "/examples/" },
      { text: "API", link: "/api/effect-blocking/Blocking" }
    ],
    sidebar: [
      { text: "Guide", items: guide },
      { text: "Examples", link: "/examples/", items: examples, collapsed: false },
      {
        text: "API",
        items: [
          {
            text: "effect-blocking",
            items: ["Task", "Blocking", "Callback", "JoinError", "JoinHandle", "JoinSet", "Parallel"].map((name) =>
              module(`effect-blocking/${name}`, name)
            )
          },
          { text: "@effect-blocking/platform-node", items: [module("platform-node", "NodeBlocking")] },
          {
            text: "@effect-blocking/devtools",
            items: ["Watchdog", "LiveView"].map((name) => module(`devtools/${name}`, name))
          },
          { text: "@effect-blocking/vitest", items: [module("vitest", "BlockingTest")] },
          {
            text: "@effect-blocking/sqlite",
            items: ["SqliteClient", "SqliteTask", "SqliteMigrator", "SqliteTest"].map((name) =>
              module(`sqlite/${name}`, name)
            )
          },
          {
            text: "@effect-blocking/cluster",
            items: ["ClusterPool", "ClusterPoolError", "ClusterStorage"].map((name) => module(`cluster/${name}`, name))
          },
          {
            text: "For hosts of threads",
            collapsed: true,
            items: ["ThreadHost", "ThreadRunner", "RemoteThread"].map((name) => module(`effect-blocking/${name}`, name))
          }
        ]
      }
    ]
  }
})
