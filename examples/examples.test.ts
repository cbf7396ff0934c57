/**
 * Runs every example as its README says, in a process of its own, and compares its output with the README. Each
 * example also checks its own result, and ends with code 1 when something is wrong.
 */
import { assert, describe, it } from "@effect/vitest"
import { execFile, spawn } from "node:child_process"
import { once } from "node:events"
import { globSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from "node:fs"
import { tmpdir } from "node:os"
import { join } from "node:path"

const examples = globSync("*/package.json", { cwd: import.meta.dirname }).sort().flatMap((file) => {
  const { scripts } = JSON.parse(readFileSync(join(import.meta.dirname, file), "utf8"))
  // This is a Vitest project of its own.
  if (scripts.start.startsWith("vitest ")) return []
  const [, main] = /^node (\S+)$/.exec(scripts.start) ?? []
  if (main === undefined) throw new Error(`${file} starts with "${scripts.start}", which this test cannot run`)
  return [{ name: file.split(/[\\/]/)[0]!, main }]
})

/** Windows has neither `mkfifo` nor SIGTERM. */
const needsPosix = new Set(["stop-anything", "graceful-shutdown", "tokio-tour"])

interface Output {
  readonly code: number | string | null | undefined
  readonly stdout: string
  readonly stderr: string
}

const run = (folder: string, main: string, ...args: ReadonlyArray<string>): Promise<Output> =>
  new Promise((resolve) => {
    // Only a hang exceeds the timeout. Node 22 warns about `node:sqlite` and about stripped types.
    const env = {
      ...process.env,
      NODE_OPTIONS: "--disable-warning=ExperimentalWarning",
      CSV_IMPORT_MEGABYTES: "10",
      SQLITE_REPORT_LINES: "100000"
    }
    const options = { cwd: folder, env, timeout: 240_000, killSignal: "SIGKILL" } as const
    execFile(
      process.execPath,
      [main, ...args],
      options,
      (error, stdout, stderr) => resolve({ code: error === null ? 0 : error.code ?? error.signal, stdout, stderr })
    )
  })

/** A line that the watchdog of `responsive-server` has seen, or not, and how often it has seen it. */
const seen = /# times?( \(tasks\.ts, line #\))?/g

/** The output of an example without numbers, bars of charts, and alignment: these differ in each run. */
const shape = (output: string): Array<string> =>
  output.trim().split("\n").map((line) =>
    line.replace(/\d+([.,: ]\d+)*/g, "#").replace(seen, "# times").replace(/[▏▎▍▌▋▊▉█\s]+/g, " ").trim()
  )

describe("every example", { concurrent: false }, () => {
  it.each(examples.filter(({ name }) => process.platform !== "win32" || !needsPosix.has(name)))(
    "$name runs, and prints what its README shows",
    async ({ main, name }) => {
      const folder = join(import.meta.dirname, name)
      const readme = readFileSync(join(folder, "README.md"), "utf8")
      const shown = /^```text\n([^]*?)^```/m.exec(readme)?.[1]
      assert(shown !== undefined, "the README shows no output (a fence marked `text`)")

      const { code, stderr, stdout } = await run(folder, main)
      assert.deepStrictEqual({ code, stderr }, { code: 0, stderr: "" }, stdout)
      assert.deepStrictEqual(shape(stdout), shape(shown))
    },
    250_000
  )
})

describe("csv-import", () => {
  const folder = join(import.meta.dirname, "csv-import")

  it.skipIf(process.platform === "win32")("Ctrl-C leaves no row in the database", async () => {
    const child = spawn(process.execPath, ["src/main.ts", "--megabytes", "20"], { cwd: folder })
    let output = ""
    child.stdout.on("data", (data) => {
      if (!output.includes("Importing") && `${output}${data}`.includes("Importing")) child.kill("SIGINT")
      output += data
    })
    const [code] = await once(child, "close")
    assert.strictEqual(code, 130, output)
    assert.match(output, /Interrupted at \d+ rows\. None of its rows is in the database\./)
  }, 60_000)

  it("a line that is not a measurement ends the import, and no row is in the database", async () => {
    const temporary = mkdtempSync(join(tmpdir(), "csv-import-"))
    const file = join(temporary, "bad.csv")
    writeFileSync(file, "station,time,celsius\r\na,2020-01-01T00:00:00Z,1\r\nb,2020-01-01T00:00:00Z,\r\n")
    const { code, stdout } = await run(folder, "src/main.ts", file, join(temporary, "measurements.db"))
    rmSync(temporary, { recursive: true })
    assert.strictEqual(code, 1, stdout)
    assert.match(
      stdout,
      /Line 3 is not a measurement: "b,2020-01-01T00:00:00Z,\s*"\. None of its rows is in the database\./
    )
  }, 60_000)
})

it("quickstart is the first example of the README, word for word", () => {
  const root = join(import.meta.dirname, "..")
  const shown = Array.from(
    readFileSync(join(root, "README.md"), "utf8").matchAll(/^```ts\n([^]*?)^```/gm),
    (match) => match[1]
  )
  const sources = ["password.ts", "main.ts"].map((file) =>
    readFileSync(join(root, "examples/quickstart/src", file), "utf8")
  )
  assert.deepStrictEqual(sources, shown.slice(0, 2))
})
