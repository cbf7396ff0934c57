/** The live view as lines of a terminal. */
import { bytes, count, duration, range, stopBy, stopStep, time } from "./page/words.ts"
import type { Bucket, PoolView, Sample, Snapshot, StallView } from "./snapshot.ts"

export interface Screen {
  readonly columns: number
  /** The maximum number of lines; `undefined` for no maximum. */
  readonly rows: number | undefined
  readonly colors: boolean
}

/** Replaces control characters: names and messages come from the program, and must not control the terminal. */
const plain = (text: string): string => text.replace(/[\p{Cc}\p{Cf}]/gu, "\ufffd")

/** A line in styled parts. Cutting it never leaves a style open. */
type Part = string | readonly [style: keyof typeof styles, text: string]
type Line = ReadonlyArray<Part>

const styles = { bold: [1, 22], dim: [2, 22], red: [31, 39], yellow: [33, 39], blue: [34, 39] } as const

const drawn = (line: Line, { colors, columns }: Screen): string => {
  let left = columns
  let text = ""
  for (const part of line) {
    const [style, raw] = typeof part === "string" ? [undefined, part] : part
    const cut = Array.from(plain(raw)).slice(0, left)
    left -= cut.length
    const shown = cut.join("")
    text += style === undefined || !colors || shown === ""
      ? shown
      : `\u001b[${styles[style][0]}m${shown}\u001b[${styles[style][1]}m`
  }
  return text.trimEnd()
}

const blocks = ["▁", "▂", "▃", "▄", "▅", "▆", "▇", "█"]

/** The latest samples, one character each. */
const sparkline = (history: ReadonlyArray<Sample>, value: (sample: Sample) => number, width: number): string => {
  const values = history.slice(-width).map(value)
  const most = Math.max(1, ...values)
  return values.map((n) => n === 0 ? " " : blocks[Math.min(7, Math.floor((8 * n) / most))]!).join("")
}

const left = (text: string, width: number): string => Array.from(text).slice(0, width).join("").padEnd(width)
const right = (text: string, width: number): string => text.padStart(width)

/** The buckets of the median and of the 99th percentile. */
const percentiles = (buckets: ReadonlyArray<Bucket>): string => {
  const total = buckets.reduce((sum, { count }) => sum + count, 0)
  if (total === 0) return "–"
  const at = (share: number): string => {
    let seen = 0
    const i = buckets.findIndex(({ count }) => (seen += count) >= total * share)
    return range(buckets[i - 1]?.belowMillis, buckets[i]!.belowMillis)
  }
  return `half ${at(0.5)}, 99 % ${at(0.99)}`
}

const poolLines = (pool: PoolView, { columns }: Screen): ReadonlyArray<Line> => {
  const { history, idleThreads, maxThreads, queueCapacity, queueDepth, running, stuckThreads, suspended } = pool
  const failed = pool.tasks.reduce((total, { failed }) => total + failed, 0)
  const width = Math.max(10, columns - 22)
  // The numbers of the table take 41 columns.
  const nameWidth = Math.max(10, Math.min(40, columns - 41))
  const lines: Array<Line> = [
    [["bold", pool.key]],
    [
      `  running ${running.length} of ${maxThreads}  idle ${idleThreads}`,
      stuckThreads > 0 ? ["red", `  stuck ${stuckThreads}`] : "",
      queueDepth >= queueCapacity ? ["red", `  queued ${count(queueDepth)}`] : `  queued ${count(queueDepth)}`,
      suspended > 0 ? ["yellow", `  waiting submitters ${count(suspended)}`] : "",
      `  ended ${count(history.at(-1)?.ended ?? 0)}/s`,
      failed > 0 ? ["yellow", `  failed ${count(failed)}`] : "  failed 0"
    ],
    [["dim", "  queue    "], ["blue", sparkline(history, ({ queueDepth }) => queueDepth, width)]],
    [["dim", "  ended/s  "], ["blue", sparkline(history, ({ ended }) => ended, width)]],
    [["dim", "  waited   "], percentiles(pool.queueWait)],
    [["dim", "  ran      "], percentiles(pool.runTime)]
  ]
  for (const { runningMillis, task, threadId } of running) {
    lines.push([["dim", right(`${threadId}`, 9)], "  ", left(task, nameWidth), right(duration(runningMillis), 10)])
  }
  if (pool.tasks.length > 0) {
    lines.push([[
      "dim",
      `  ${left("task", nameWidth + 1)}${right("ended", 9)}${right("failed", 9)}${right("mean", 10)}${
        right("longest", 10)
      }`
    ]])
  }
  for (const { ended, failed, maxMillis, meanMillis, name } of pool.tasks.slice(0, 8)) {
    const numbers = `${right(duration(meanMillis), 10)}${right(duration(maxMillis), 10)}`
    const failures = right(count(failed), 9)
    lines.push([
      `  ${left(name, nameWidth + 1)}${right(count(ended), 9)}`,
      failed > 0 ? ["red", failures] : failures,
      numbers
    ])
  }
  for (const { at, by, step, task } of pool.stops.slice(0, 3)) {
    lines.push([["dim", `  ${time(at)}  `], `${task}: ${stopStep(step)}, ${stopBy(by)}`])
  }
  for (const { at, message, outcome, task } of pool.failures.slice(0, 5)) {
    lines.push([["dim", `  ${time(at)}  `], ["red", outcome], `  ${task}: ${message}`])
  }
  return [...lines, []]
}

/** In two lines if one is too short: the line number is at the end. */
const stallLines = ({ at, millis, site, stack }: StallView, { columns }: Screen): ReadonlyArray<Line> => {
  const what = `blocked for ${duration(millis)}`
  const by = `by ${site ?? (stack === "Unknown" ? "a native call" : "code whose stack was not taken")}`
  const first: Line = [["dim", `  ${time(at)}  `], ["yellow", what]]
  return 12 + what.length + 1 + by.length > columns ? [first, ["    ", by]] : [[...first, " ", by]]
}

export const render = (snapshot: Snapshot, screen: Screen): ReadonlyArray<string> => {
  const { pools, program, stalls, watched } = snapshot
  const lines: Array<Line> = [
    [
      ["bold", program.name],
      `  event loop busy ${Math.round(program.eventLoop * 100)} %  memory ${bytes(program.memoryBytes)}  up ${
        duration(program.uptimeMillis)
      }  process ${program.pid}  Node ${program.node}`
    ],
    [],
    ...pools.flatMap((pool) => poolLines(pool, screen)),
    ...(pools.length === 0 ? [["The program has no pool yet."], []] : []),
    [["bold", "Event loop"]],
    ...(stalls.length === 0
      ? [[["dim", watched ? "  No stall so far." : "  It is not watched: add Watchdog.layer()."] as const]]
      : stalls.slice(0, 5).flatMap((stall) => stallLines(stall, screen)))
  ]
  return lines.slice(0, screen.rows).map((line) => drawn(line, screen))
}
