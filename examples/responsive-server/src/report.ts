/** Two measurements as text, side by side. */
import type { Measurement } from "./measurement.ts"

const percentile = (sorted: ReadonlyArray<number>, p: number): number =>
  sorted[Math.max(0, Math.ceil(sorted.length * p / 100) - 1)] ?? 0

const served = ({ heavy }: Measurement): number => Object.values(heavy).reduce((sum, count) => sum + count, 0)

const millis = (ms: number): string => `${ms.toFixed(ms < 10 ? 1 : 0)} ms`

const rows: ReadonlyArray<readonly [title: string, value: (m: Measurement) => string]> = [
  ["cheap requests served (/ping)", ({ pings }) => `${pings.length}`],
  ["  within 50 ms", ({ pings }) => `${Math.floor(100 * pings.filter((ms) => ms <= 50).length / pings.length)} %`],
  ["  latency p50", ({ pings }) => millis(percentile(pings, 50))],
  ["  latency p99", ({ pings }) => millis(percentile(pings, 99))],
  ["  latency max", ({ pings }) => millis(percentile(pings, 100))],
  ["event-loop delay p50", ({ eventLoop }) => millis(eventLoop.p50)],
  ["  p99", ({ eventLoop }) => millis(eventLoop.p99)],
  ["  max", ({ eventLoop }) => millis(eventLoop.max)],
  ["heavy requests served", (m) => `${served(m)}`]
]

const line = (title: string, left: string, right: string): string =>
  title.padEnd(32) + left.padStart(12) + right.padStart(14)

const table = (inPlace: Measurement, pool: Measurement): ReadonlyArray<string> => {
  return [
    line("", "in place", "on the pool"),
    ...rows.map(([title, value]) => line(title, value(inPlace), value(pool))),
    ...Object.keys(pool.heavy).map((name) => line(`  ${name}`, `${inPlace.heavy[name]}`, `${pool.heavy[name]}`))
  ]
}

/** Upper bounds in milliseconds, each about twice the previous one. */
const buckets = [1, 2, 5, 10, 20, 50, 100, 200, 500, 1000, Infinity]

const barWidth = 24

/** A bar as long as its share of all, to an eighth of a character. */
const bar = (share: number): string => {
  const eighths = share === 0 ? 0 : Math.max(1, Math.round(share * barWidth * 8))
  return ("█".repeat(eighths >> 3) + ["", "▏", "▎", "▍", "▌", "▋", "▊", "▉"][eighths & 7]).padEnd(barWidth)
}

const histogram = (inPlace: Measurement, pool: Measurement): ReadonlyArray<string> => [
  `${"/ping latency".padEnd(16)}${"in place".padEnd(barWidth + 8)}on the pool`,
  ...buckets.map((bound, i) => {
    const lower = buckets[i - 1] ?? 0
    const column = ({ pings }: Measurement) => {
      const count = pings.filter((ms) => ms >= lower && ms < bound).length
      return `${bar(count / pings.length)} ${`${count}`.padEnd(7)}`
    }
    const label = bound === Infinity ? `${lower} ms and more` : `${lower} - ${bound} ms`
    return `${label.padEnd(16)}${column(inPlace)}${column(pool)}`.trimEnd()
  })
]

const conclusion = (inPlace: Measurement, pool: Measurement): string => {
  const compare = (p: number) => {
    const before = percentile(inPlace.pings, p)
    const after = percentile(pool.pings, p)
    return `${millis(after)} instead of ${millis(before)} (${(before / after).toFixed(0)} times sooner)`
  }
  return `With its work on the pool, the server answered half of the pings within ${compare(50)} and 99 % within ` +
    `${compare(99)}, and served ${served(pool)} heavy requests instead of ${served(inPlace)}.`
}

export const render = (inPlace: Measurement, pool: Measurement): string =>
  [...table(inPlace, pool), "", ...histogram(inPlace, pool), "", conclusion(inPlace, pool)].join("\n")
