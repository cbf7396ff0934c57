/**
 * Runs generations of a soak for the given time, and then checks their histories and their memory.
 */
import { NodeBlocking } from "@effect-blocking/platform-node"
import { Effect, Logger } from "effect"
import { parseArgs } from "node:util"
import { setFlagsFromString } from "node:v8"
import { runInNewContext } from "node:vm"
import type { History } from "./history.ts"

const { values: options } = parseArgs({
  options: {
    minutes: { type: "string", default: "2" },
    seed: { type: "string", default: `${Date.now() % 100_000}` },
    brief: { type: "boolean", default: false }
  }
})

/** How much longer than the given time the soak may take. Arbitrary: only a hang takes that long. */
const patienceMillis = 120_000

setFlagsFromString("--expose-gc")
const collectGarbage = runInNewContext("gc") as () => void

const memory = () => {
  collectGarbage()
  const { external, heapUsed, rss } = process.memoryUsage()
  return { heap: (heapUsed + external) / 2 ** 20, rss: rss / 2 ** 20 }
}

/** mulberry32: small, and the same on every machine. */
let state = Number(options.seed)
const next = (): number => {
  state = state + 0x6d2b79f5 | 0
  let t = Math.imul(state ^ state >>> 15, 1 | state)
  t = t + Math.imul(t ^ t >>> 7, 61 | t) ^ t
  return ((t ^ t >>> 14) >>> 0) / 4294967296
}

/** The next random integer below `below`. */
export const random = (below: number): number => Math.floor(next() * below)

const median = (numbers: ReadonlyArray<number>): number => numbers.toSorted((a, b) => a - b)[numbers.length >> 1]!

const program = Effect.fnUntraced(function*<E>(
  name: string,
  generation: (n: number) => Effect.Effect<History, E>,
  figures: () => string | undefined
) {
  const end = performance.now() + Number(options.minutes) * 60_000
  const outcomes = new Map<string, number>()
  const faults: Array<string> = []
  const samples: Array<{ readonly heap: number; readonly rss: number }> = []
  let submitted = 0
  console.log(`${name}: ${options.minutes} minutes, seed ${options.seed}, Node ${process.version}`)
  for (let n = 0; performance.now() < end; n++) {
    const history = yield* generation(n)
    submitted += history.submitted
    for (const { outcome } of history.outcomes) outcomes.set(outcome, (outcomes.get(outcome) ?? 0) + 1)
    faults.push(...history.faults.map((text) => `generation ${n}: ${text}`))
    const sample = memory()
    samples.push(sample)
    if (options.brief && history.faults.length === 0) continue
    console.log(
      `generation ${n}: ${history.submitted} tasks, heap ${sample.heap.toFixed(1)} MB, resident ${
        sample.rss.toFixed(0)
      } MB` +
        (history.faults.length > 0 ? `, ${history.faults.length} FAULTS` : "")
    )
  }

  // The first generations warm up: code is compiled, and tables grow.
  const settled = samples.slice(Math.min(3, samples.length - 1))
  const third = Math.ceil(settled.length / 3)
  const [first, last] = [settled.slice(0, third), settled.slice(-third)].map((part) => ({
    heap: median(part.map(({ heap }) => heap)),
    rss: median(part.map(({ rss }) => rss))
  }))
  // Arbitrary: after minutes, a leak for each task or thread is much larger.
  if (last!.heap > first!.heap + 5) faults.push(`the heap grew from ${first!.heap} to ${last!.heap} MB`)
  if (last!.rss > first!.rss * 1.2 + 30) faults.push(`resident memory grew from ${first!.rss} to ${last!.rss} MB`)
  const resources = process.getActiveResourcesInfo().filter((name) =>
    ["MessagePort", "Worker", "ProcessWrap"].includes(name)
  )
  if (resources.length > 0) faults.push(`left open: ${resources.join(", ")}`)

  if (!outcomes.has("Succeeded")) faults.push("no task succeeded")

  console.log(
    `${submitted} submitted, ${[...outcomes.values()].reduce((a, b) => a + b, 0)} outcomes, ` +
      `${outcomes.get("Succeeded") ?? 0} succeeded`
  )
  if (!options.brief || faults.length > 0) {
    for (const [outcome, times] of [...outcomes].toSorted((a, b) => b[1] - a[1])) console.log(`  ${outcome}: ${times}`)
  }
  console.log(
    `heap ${first!.heap.toFixed(1)} MB in the first third, ${last!.heap.toFixed(1)} MB in the last; ` +
      `resident ${first!.rss.toFixed(0)} and ${last!.rss.toFixed(0)} MB`
  )
  const more = figures()
  if (more !== undefined) console.log(more)
  if (faults.length > 0) {
    console.log(`\n${faults.length} faults:\n${faults.slice(0, 50).join("\n")}`)
    return yield* Effect.die(new Error("The soak found faults"))
  }
  console.log("No faults.")
})

/** Runs the program of a soak. `figures` returns a last line for the report. */
export const run = <E>(
  name: string,
  generation: (n: number) => Effect.Effect<History, E>,
  figures: () => string | undefined = () => undefined
): void => {
  // By a signal: a thread that is stuck in native code would prevent the exit.
  setTimeout(() => {
    console.log(`${name} hangs: a generation or its shutdown has not ended.`)
    process.kill(process.pid, "SIGKILL")
  }, Number(options.minutes) * 60_000 + patienceMillis).unref()
  // The pools log much about these faults, and all of it is expected.
  NodeBlocking.runMain(program(name, generation, figures).pipe(Effect.provide(Logger.layer([]))))
}
