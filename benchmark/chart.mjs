/**
 * Draws the throughput of tiny tasks and of small objects as an SVG bar chart. A transparent background and medium
 * colours make it readable in a light and in a dark theme.
 */
import { mkdirSync, writeFileSync } from "node:fs"
import { dirname } from "node:path"
import { label, peers, pipelined, self } from "./names.mjs"
import { format, medianOf, valuesOf } from "./report.mjs"

const panels = [
  {
    row: "tiny",
    key: "perSecond",
    title: "Tiny tasks per second: a + b, 1000 at a time, 2 threads, through Effect"
  },
  {
    row: "payload",
    key: "object",
    title: "Objects of 100 B there and back per second, 100 at a time, 2 threads, through Effect"
  }
]
const width = 760
const labelWidth = 210
const valueWidth = 90
const barHeight = 22
const step = 32
const top = 44
/** The space between two panels. */
const gap = 24

/** About the same contrast (4.3) with white and with GitHub's dark background. */
const text = "#767a7f"
const ownColour = "#3b82d6"
const otherColour = "#9a9fa6"

const escape = (value) => value.replaceAll("&", "&amp;").replaceAll("<", "&lt;")

/** Draws the bars of a panel, the longest first, as lines of SVG that start at the height `from`. */
const drawPanel = (run, { key, row, title }, from) => {
  const bars = [self, "bare", ...peers, ...pipelined].flatMap((name) => {
    const values = valuesOf(run, row, name, key)
    return values.length === 0 ? [] : [{ name, value: medianOf(values) }]
  }).sort((a, b) => b.value - a.value)
  if (bars.length === 0) throw new Error(`The chart needs row ${row}, which was not measured`)

  const longest = Math.max(...bars.map(({ value }) => value))
  const draw = ({ name, value }, i) => {
    const y = from + top + i * step
    const length = Math.max(1, (value / longest) * (width - labelWidth - valueWidth))
    const middle = y + barHeight / 2 + 5
    const weight = name === self ? " font-weight=\"bold\"" : ""
    return [
      `  <text x="${labelWidth - 10}" y="${middle}" text-anchor="end"${weight}>${escape(label(name))}</text>`,
      `  <rect x="${labelWidth}" y="${y}" width="${length.toFixed(1)}" height="${barHeight}" rx="3" fill="${
        name === self ? ownColour : otherColour
      }"/>`,
      `  <text x="${(labelWidth + length + 8).toFixed(1)}" y="${middle}"${weight}>${format(value)}</text>`
    ].join("\n")
  }
  const heading = `  <text x="0" y="${from + 22}" font-weight="bold">${escape(title)}</text>`
  return { lines: [heading, ...bars.map(draw)], to: from + top + bars.length * step }
}

export const writeChart = (run, file) => {
  if (run.scale !== 1) throw new Error(`The chart is for measurements, not for a run at scale ${run.scale}`)
  const lines = []
  let end = 0
  for (const panel of panels) {
    const drawn = drawPanel(run, panel, end === 0 ? 0 : end + gap)
    lines.push(...drawn.lines)
    end = drawn.to
  }
  const height = end + 30
  const { cores, cpu, node } = run.machine
  const method = `Medians of ${run.rounds} processes each. ${cpu}, ${cores} cores, Node ${node}`
  const svg = [
    `<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 ${width} ${height}" width="${width}" height="${height}"` +
    ` role="img" font-family="system-ui, sans-serif" font-size="14" fill="${text}">`,
    `  <title>Tasks per second, by library</title>`,
    ...lines,
    `  <text x="0" y="${height - 8}" font-size="12">${escape(method)}</text>`,
    "</svg>"
  ].join("\n")
  mkdirSync(dirname(file), { recursive: true })
  writeFileSync(file, `${svg}\n`)
  return file
}
