/**
 * Runs the benchmark: every row for every contender, each in a process of its own, in several
 * rounds with changing order. Then it prints medians and budgets.
 *
 * Start it with `npm run bench`, which builds the library first. Options (after `--`):
 *
 *   --suite sqlite           the rows of a suite: core (the default), parallel, sqlite, cluster, devtools, all
 *   --only tiny,abort        only these rows
 *   --contenders a,b         only these contenders, besides this library
 *   --rounds 5               processes per row and contender
 *   --scale 0.1              a tenth of the tasks and times, for a quick check
 *   --chart                  draw docs/assets/throughput.svg from the rows `tiny` and `payload`
 *   --from results/x.json    print (and draw) an earlier run
 *   --packages <folder>      the folder of the staged packages; packages/ by default
 *
 * Progress goes to stderr, the tables to stdout, the raw data to `benchmark/results/`.
 */
import { execFileSync, fork } from "node:child_process"
import { mkdirSync, readFileSync, rmSync, writeFileSync } from "node:fs"
import { availableParallelism, cpus, loadavg, release, totalmem } from "node:os"
import { join, resolve } from "node:path"
import { parseArgs } from "node:util"
import { writeChart } from "./chart.mjs"
import { self } from "./names.mjs"
import { brief, report } from "./report.mjs"
import { rows, suites } from "./rows.mjs"
import { stage } from "./stage.mjs"

const root = join(import.meta.dirname, "..")

const { values: options } = parseArgs({
  options: {
    "only": { type: "string" },
    "suite": { type: "string", default: "core" },
    "contenders": { type: "string" },
    "rounds": { type: "string", default: "5" },
    "scale": { type: "string", default: "1" },
    "chart": { type: "boolean", default: false },
    "from": { type: "string" },
    "packages": { type: "string", default: join(root, "packages") }
  }
})

const refuse = (message) => {
  console.error(message)
  process.exit(2)
}

const positive = (option) => {
  const value = Number(options[option])
  if (!(value > 0)) refuse(`--${option} takes a number above 0, not "${options[option]}"`)
  return value
}

const list = (option, known) => {
  const names = options[option]?.split(",") ?? known
  const unknown = names.filter((name) => !known.includes(name))
  if (unknown.length > 0) refuse(`--${option}: no ${unknown.join(", ")}; there are ${known.join(", ")}`)
  return names
}

/** How long a process may take for a row that sets no limit. */
const defaultLimitMillis = 30_000

let current

/** Runs one process. Returns `{ status: "done", values }`, `{ status: "hang" }` or `{ status: "error", message }`. */
const measure = (folder, row, name, scale) =>
  new Promise((settle) => {
    const { heapMegabytes, limitMillis = defaultLimitMillis } = rows[row]
    const child = current = fork(join(folder, "child.mjs"), [row, name, String(scale)], {
      cwd: folder,
      // Not in execArgv: threads inherit it, and refuse flags that are only for processes.
      env: heapMegabytes === undefined
        ? process.env
        : { ...process.env, NODE_OPTIONS: `--max-old-space-size=${heapMegabytes}` },
      execArgv: [],
      serialization: "advanced",
      stdio: ["ignore", "ignore", "pipe", "ipc"]
    })
    let stderr = ""
    let result
    child.stderr.on("data", (data) => {
      stderr = (stderr + data).slice(-4000)
    })
    const end = (outcome) => {
      result ??= outcome
      child.kill("SIGKILL")
    }
    const limit = setTimeout(() => end({ status: "hang" }), limitMillis)
    child.on("message", (values) => end({ status: "done", values }))
    child.on("exit", (code, signal) => {
      clearTimeout(limit)
      settle(result ?? { status: "error", message: stderr.trim() || `exited with ${signal ?? code}` })
    })
  })

/** Every other round runs in reverse order, and each round begins with another contender. */
const alternated = (names, round) => {
  const from = round % names.length
  const rotated = [...names.slice(from), ...names.slice(0, from)]
  return round % 2 === 0 ? rotated : rotated.reverse()
}

const git = (...args) => {
  try {
    return execFileSync("git", args, { cwd: root, encoding: "utf8", stdio: ["ignore", "pipe", "ignore"] }).trim()
  } catch {
    return undefined
  }
}

const measureAll = async () => {
  const suite = suites[options.suite]
  if (suite === undefined) refuse(`--suite: no ${options.suite}; there are ${Object.keys(suites).join(", ")}`)
  const chosenRows = options.only === undefined ? suite : list("only", Object.keys(rows))
  const known = [...new Set(Object.values(rows).flatMap(({ contenders }) => contenders))]
  const chosenContenders = new Set([self, ...list("contenders", known)])
  const [rounds, scale] = [positive("rounds"), positive("scale")]
  const plan = []
  for (let round = 0; round < rounds; round++) {
    for (const row of chosenRows) {
      const names = rows[row].contenders.filter((name) => chosenContenders.has(name))
      for (const name of alternated(names, round)) plan.push({ round, row, name })
    }
  }

  const { folder, versions } = stage(resolve(options.packages))
  const run = {
    startedAt: new Date().toISOString(),
    command: process.argv.slice(2),
    rounds,
    scale,
    machine: {
      cpu: cpus()[0]?.model,
      cores: availableParallelism(),
      memoryGigabytes: Math.round(totalmem() / 2 ** 30),
      system: `${process.platform} ${release()} ${process.arch}`,
      node: process.version,
      loadBefore: loadavg()[0]
    },
    commit: git("rev-parse", "HEAD"),
    uncommitted: git("status", "--porcelain")?.split("\n").filter(Boolean).length,
    versions,
    samples: []
  }
  process.on("exit", () => {
    current?.kill("SIGKILL")
    rmSync(folder, { recursive: true, force: true })
  })
  for (const signal of ["SIGINT", "SIGTERM"]) process.once(signal, () => process.exit(1))

  const failures = new Map()
  const begin = performance.now()
  for (const [i, { name, round, row }] of plan.entries()) {
    // A contender that failed twice would only cost time.
    const key = `${row} ${name}`
    if ((failures.get(key) ?? 0) >= 2) continue
    const from = performance.now()
    const outcome = await measure(folder, row, name, scale)
    const now = performance.now()
    if (outcome.status !== "done") failures.set(key, (failures.get(key) ?? 0) + 1)
    run.samples.push({ row, name, round, ...outcome, processMillis: Math.round(now - from) })
    const left = (((now - begin) / (i + 1)) * (plan.length - i - 1)) / 60_000
    const seconds = ((now - from) / 1000).toFixed(1)
    const figures = brief(rows[row], outcome)
    console.error(`${i + 1}/${plan.length}, ${left.toFixed(1)} min left: ${row}, ${name}: ${figures} (${seconds} s)`)
  }
  run.seconds = Math.round((performance.now() - begin) / 1000)
  const results = join(import.meta.dirname, "results")
  mkdirSync(results, { recursive: true })
  const file = join(results, `${run.startedAt.replaceAll(":", "-")}.json`)
  writeFileSync(file, `${JSON.stringify(run, undefined, 1)}\n`)
  console.error(`raw data: ${file}`)
  return run
}

const run = options.from === undefined ? await measureAll() : JSON.parse(readFileSync(options.from, "utf8"))
console.log(report(run, rows))
if (options.chart) console.error(`chart: ${writeChart(run, join(root, "docs", "assets", "throughput.svg"))}`)
// A peer may fail; this library may not.
if (run.samples.some(({ name, status }) => name === self && status !== "done")) process.exitCode = 1
