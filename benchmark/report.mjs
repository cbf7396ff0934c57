/** Turns the samples of a run into tables of medians, ratios and budgets. */
import { label, self } from "./names.mjs"

export const medianOf = (values) => {
  const sorted = values.toSorted((a, b) => a - b)
  const middle = sorted.length >> 1
  return sorted.length % 2 === 1 ? sorted[middle] : (sorted[middle - 1] + sorted[middle]) / 2
}

/** The values of one figure, one for each round. */
export const valuesOf = (run, row, name, key) =>
  run.samples
    .filter((sample) => sample.row === row && sample.name === name && sample.status === "done")
    .map(({ values }) => values[key])
    .filter(Number.isFinite)

const digits = (value, count) => value.toLocaleString("en", { maximumFractionDigits: count }).replaceAll(",", " ")

/** Formats about three digits, with spaces between thousands. */
export const format = (value) => {
  const size = Math.abs(value)
  if (size >= 100) return digits(Number(value.toPrecision(3)), 0)
  return digits(value, size >= 10 ? 1 : 2)
}

/** One line of progress. */
export const brief = ({ metrics }, { message, status, values }) =>
  status === "done"
    ? metrics.map(({ key }) => `${key} ${values[key] === undefined ? "–" : format(values[key])}`).join(", ")
    : `${status}${message === undefined ? "" : `\n${message}`}`

const table = (header, lines) => {
  const widths = header.map((_, i) => Math.max(...[header, ...lines].map((line) => line[i].length)))
  const print = (line) =>
    `  ${line.map((cell, i) => i === 0 ? cell.padEnd(widths[i]) : cell.padStart(widths[i])).join("  ")}`.trimEnd()
  return [header, ...lines].map(print).join("\n")
}

/** How many times this library is better than a value; below 1 it is worse. */
const advantage = (own, value, better) => {
  const ratio = better === "more" ? own / value : value / own
  return Number.isFinite(ratio) && ratio > 0 ? format(ratio) : "–"
}

const metricTable = (run, rowName, row, metric) => {
  const own = medianOf(valuesOf(run, rowName, self, metric.key))
  const lines = row.contenders.flatMap((name) => {
    const samples = run.samples.filter((sample) => sample.row === rowName && sample.name === name)
    if (samples.length === 0) return []
    const title = `${label(name)}${row.note?.[name] === undefined ? "" : ` (${row.note[name]})`}`
    const values = valuesOf(run, rowName, name, metric.key)
    if (values.length === 0) {
      const failed = samples.find(({ status }) => status !== "done")
      return [[title, failed?.status ?? "–", "", ""]]
    }
    const spread = values.length === 1 ? "" : `${format(Math.min(...values))} … ${format(Math.max(...values))}`
    const value = medianOf(values)
    return [[title, format(value), spread, name === self ? "" : advantage(own, value, metric.better)]]
  })
  return table([`${metric.label} (${metric.better} is better)`, "median", "spread", `${self} is better, times`], lines)
}

const verdict = ({ atLeast, atMost, below, value }) => {
  if (!Number.isFinite(value)) return ["–", "–"]
  if (atLeast !== undefined) return [`at least ${atLeast}`, value >= atLeast ? "met" : "missed"]
  if (atMost !== undefined) return [`at most ${atMost}`, value <= atMost ? "met" : "missed"]
  if (below !== undefined) return [`below ${below}`, value < below ? "met" : "missed"]
  return ["", ""]
}

const budgetTable = (run, rows) => {
  if (run.scale !== 1) return []
  const lines = Object.entries(rows).flatMap(([rowName, row]) => {
    if (!run.samples.some((sample) => sample.row === rowName)) return []
    const median = (name, key) => medianOf(valuesOf(run, rowName, name, key))
    return (row.budgets?.(median) ?? []).map((budget) => {
      const [limit, result] = verdict(budget)
      return [budget.what, Number.isFinite(budget.value) ? format(budget.value) : "–", limit, result]
    })
  })
  return lines.length === 0 ? [] : [`Budgets\n\n${table(["", "measured", "budget", ""], lines)}`]
}

const failures = (run) => {
  const lines = run.samples.flatMap(({ message, name, round, row, status }) =>
    status === "done" ? [] : [`  ${row}, ${label(name)}, round ${round + 1}: ${message?.split("\n")[0] ?? status}`]
  )
  return lines.length === 0 ? [] : [`Failures\n\n${lines.join("\n")}`]
}

const heading = ({ machine, rounds, scale, seconds, startedAt, versions }) =>
  [
    `${startedAt}, ${rounds} rounds, ${seconds} s${scale === 1 ? "" : `, at scale ${scale}: NOT a measurement`}`,
    `${machine.cpu}, ${machine.cores} cores, ${machine.memoryGigabytes} GB, ${machine.system}, Node ${machine.node}` +
    `, load ${machine.loadBefore.toFixed(1)} at the start`,
    Object.entries(versions).map(([name, version]) => `${name} ${version}`).join(", ")
  ].join("\n")

/** All tables of a run. */
export const report = (run, rows) => {
  const sections = Object.entries(rows).flatMap(([rowName, row]) => {
    if (!run.samples.some((sample) => sample.row === rowName)) return []
    const tables = row.metrics.map((metric) => metricTable(run, rowName, row, metric))
    return [`${row.title} [${rowName}]\n\n${tables.join("\n\n")}`]
  })
  return [heading(run), ...sections, ...failures(run), ...budgetTable(run, rows)].join("\n\n\n")
}
