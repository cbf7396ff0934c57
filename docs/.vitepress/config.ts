import { readFileSync } from "node:fs"
import { dirname, join } from "node:path"
import { defineConfig } from "vitepress"
import { siteLinks } from "./siteLinks.ts"

const docs = dirname(import.meta.dirname)

const page = (name: string, text: string) => ({ text, link: `/${name}` })

/** In the order in which a newcomer needs them. */
const guide = [
  {
    text: "Basics",
    items: [
      page("getting-started", "Getting started"),
      page("packages", "Which package?"),
      page("choosing", "Which function?"),
      page("errors", "Errors"),
      page("cancellation-and-shutdown", "Cancellation and shutdown"),
      page("testing", "Testing"),
      page("pitfalls", "Pitfalls")
    ]
  },
  {
    text: "More than one call",
    items: [
      page("sizing", "Sizing and back-pressure"),
      page("moving-data", "Moving data"),
      page("parallel", "Many items"),
      page("streams", "Streams"),
      page("callbacks", "Calls to the program"),
      page("per-thread-state", "Per-thread state")
    ]
  },
  {
    text: "On top of it",
    items: [
      page("sqlite", "SQLite"),
      page("devtools", "Devtools"),
      page("cluster", "More than one machine")
    ]
  },
  {
    text: "In production",
    items: [
      page("build-and-deploy", "Build and deploy"),
      page("exit", "Exit"),
      page("process-isolation", "Process isolation"),
      page("trust", "Trust"),
      page("performance", "Performance")
    ]
  },
  {
    text: "Coming from elsewhere",
    items: [
      page("tokio", "From Tokio"),
      page("comparison", "From ZIO, cats-effect, Trio, piscina"),
      page("from-sqlite-drivers", "From other SQLite drivers"),
      page("from-job-queues", "From BullMQ and Temporal")
    ]
  },
  { text: "To change it", items: [page("architecture", "Architecture")] }
]

/** In the order of their page. */
const examples = Array.from(
  readFileSync(join(docs, "../examples/README.md"), "utf8").matchAll(/^\| \[([\w-]+)\]/gm),
  ({ 1: name = "" }) => ({ text: name, link: `/examples/${name}` })
)

const module = (path: string, text: string) => page(`api/${path}`, text)

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
      ...guide,
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
