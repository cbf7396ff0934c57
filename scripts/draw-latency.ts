/**
 * Draws docs/assets/latency.svg from what `npm start` prints: how long cheap requests take while the same server has its
 * heavy work in place, and on the pool. The background is transparent and the colours are between light and dark, so
 * that the picture can be read on either.
 *
 *     node scripts/draw-latency.ts                # runs the example, on a machine that does nothing else
 *     node scripts/draw-latency.ts output.txt     # draws what a run has printed
 */
import { spawnSync } from "node:child_process"
import { readFileSync, writeFileSync } from "node:fs"
import { availableParallelism, cpus } from "node:os"
import { join } from "node:path"

const root = join(import.meta.dirname, "..")

const measure = (): string => {
  const { status, stdout } = spawnSync(process.execPath, [join(root, "examples/responsive-server/src/main.ts")], {
    encoding: "utf8",
    stdio: ["ignore", "pipe", "inherit"]
  })
  if (status !== 0) throw new Error(`the example ended with ${status}`)
  return stdout
}

const [file] = process.argv.slice(2)
const output = file === undefined ? measure() : readFileSync(file, "utf8")
console.log(output)

// -----------------------------------------------------------------------------
// What was measured
// -----------------------------------------------------------------------------

/** The two values of a row of the table. */
const row = (title: string): ReadonlyArray<string> => {
  const found = output.match(new RegExp(`^ *${title.replace(/[()]/g, "\\$&")} +(\\S+(?: ms)?) +(\\S+(?: ms)?)$`, "m"))
  if (found === null) throw new Error(`the output has no row "${title}"`)
  return found.slice(1)
}

interface Bucket {
  /** Its upper bound, in milliseconds. */
  readonly bound: number
  /** How many requests took so long, in place and on the pool. */
  readonly counts: readonly [number, number]
}

const buckets = Array.from(
  output.matchAll(/^(\d+)(?: - (\d+) ms| ms and more)[^\d]*(\d+)[^\d]*(\d+)$/gm),
  ([, , bound, inPlace, onPool]): Bucket => ({
    bound: bound === undefined ? Infinity : Number(bound),
    counts: [Number(inPlace), Number(onPool)]
  })
)
// Empty ones at the end say nothing.
while (buckets.at(-1)?.counts.every((count) => count === 0)) buckets.pop()

const sent = row("cheap requests served (/ping)").map(Number)
for (const [i, total] of sent.entries()) {
  const counted = buckets.reduce((sum, { counts }) => sum + counts[i]!, 0)
  if (counted !== total) throw new Error(`${counted} of ${total} requests are in the histogram`)
}
const median = row("latency p50")
const worst = row("latency p99")

// -----------------------------------------------------------------------------
// The picture
// -----------------------------------------------------------------------------

/** About the same contrast (4.3) to white and to GitHub's dark background. */
const text = "#767a7f"
const variants = [
  { title: "in place", colour: "#9a9fa6" },
  { title: "on the pool", colour: "#3b82d6" }
]

const width = 760
const labels = 170
const step = (width - labels - 30) / buckets.length
const barHeight = 110
const panelHeight = barHeight + 34
const top = 44
const axis = top + variants.length * panelHeight

const escape = (value: string): string => value.replaceAll("&", "&amp;").replaceAll("<", "&lt;")

const most = Math.max(...buckets.flatMap(({ counts }) => counts.map((count, i) => count / sent[i]!)))

const panel = ({ colour, title }: typeof variants[number], i: number): ReadonlyArray<string> => {
  const bottom = top + (i + 1) * panelHeight - 10
  return [
    `<text x="0" y="${bottom - 58}" font-weight="bold">${escape(title)}</text>`,
    `<text x="0" y="${bottom - 34}">half within ${escape(median[i]!)}</text>`,
    `<text x="0" y="${bottom - 12}">99 % within ${escape(worst[i]!)}</text>`,
    `<line x1="${labels}" y1="${bottom}" x2="${width - 30}" y2="${bottom}" stroke="${text}" stroke-opacity="0.5"/>`,
    ...buckets.flatMap(({ counts }, column) => {
      const share = counts[i]! / sent[i]!
      if (share === 0) return []
      const height = Math.max(1, share / most * barHeight)
      const x = labels + column * step + 3
      return [
        `<rect x="${x.toFixed(1)}" y="${(bottom - height).toFixed(1)}" width="${(step - 6).toFixed(1)}" height="${
          height.toFixed(1)
        }" rx="2" fill="${colour}"/>`,
        `<text x="${(x + step / 2 - 3).toFixed(1)}" y="${
          (bottom - height - 6).toFixed(1)
        }" text-anchor="middle" font-size="12">${share < 0.01 ? "&lt; 1" : Math.round(share * 100)} %</text>`
      ]
    })
  ]
}

const bounds = buckets.slice(0, -1).map(({ bound }, column) =>
  `<text x="${(labels + (column + 1) * step).toFixed(1)}" y="${axis + 8}" text-anchor="middle" font-size="12">${
    bound < 1000 ? `${bound} ms` : `${bound / 1000} s`
  }</text>`
)

const title = "How long GET /ping takes, while the same server also hashes, searches and compresses"
const machine = `${cpus()[0]?.model ?? "?"}, ${availableParallelism()} cores, Node ${process.versions.node}`
const method = `${sent[0]} requests, 200 a second; ${machine}`
const height = axis + 44

const svg = [
  `<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 ${width} ${height}" width="${width}" height="${height}"` +
  ` role="img" font-family="system-ui, sans-serif" font-size="14" fill="${text}">`,
  `  <title>${escape(`${title}: half within ${median[0]} in place, and within ${median[1]} on the pool`)}</title>`,
  ...[
    `<text x="0" y="20" font-weight="bold">${escape(title)}</text>`,
    ...variants.flatMap(panel),
    ...bounds,
    `<text x="0" y="${height - 8}" font-size="12">${escape(method)}</text>`
  ].map((line) => `  ${line}`),
  "</svg>"
].join("\n")

writeFileSync(join(root, "docs/assets/latency.svg"), `${svg}\n`)
