/**
 * A farm of processes that are killed, and its books: the tasks that were acknowledged, started, ended
 * and settled. For the tests and the soak.
 */
import { Effect, Layer, Option } from "effect"
import { type ChildProcess, spawn } from "node:child_process"
import { once } from "node:events"
import { existsSync, readFileSync } from "node:fs"
import { join } from "node:path"
import { createInterface } from "node:readline"
import { type Place, storageOf, Works } from "../fixtures/farm.ts"
import { work } from "../fixtures/work.ts"

const fixture = (name: string) => join(import.meta.dirname, "../fixtures", name)

/** Starts a program, which ends with this one. */
const start = (name: string, args: ReadonlyArray<string>, onLine: (line: string) => void): ChildProcess => {
  const child = spawn(process.execPath, ["--disable-warning=ExperimentalWarning", fixture(name), ...args], {
    stdio: ["ignore", "pipe", "inherit"]
  })
  const end = () => child.kill("SIGKILL")
  process.once("exit", end)
  child.once("exit", () => process.off("exit", end))
  createInterface(child.stdout).on("line", onLine)
  return child
}

export interface Process {
  readonly pid: number
  readonly child: ChildProcess
  readonly ready: Promise<void>
  /** Kills it, and resolves when it has exited. */
  readonly kill: (signal?: NodeJS.Signals) => Promise<void>
  readonly signal: (signal: NodeJS.Signals) => void
}

const processOf = (child: ChildProcess, ready: Promise<void>): Process => ({
  pid: child.pid!,
  child,
  ready,
  kill: async (signal = "SIGKILL") => {
    if (child.exitCode !== null || child.signalCode !== null) return
    const gone = once(child, "exit")
    child.kill(signal)
    await gone
  },
  signal: (signal) => void child.kill(signal)
})

export const startRunner = (place: Place, threads: number, listen: boolean): Process => {
  const { promise, resolve, reject } = Promise.withResolvers<void>()
  const args = [JSON.stringify(place), `${threads}`, listen ? "listen" : "silent"]
  const child = start("runnerProgram.ts", args, (line) => {
    if (line === "ready") resolve()
  })
  child.once("exit", (code, signal) => reject(new Error(`a runner has ended with ${signal ?? code}`)))
  // It may be killed before it is awaited.
  promise.catch(() => {})
  return processOf(child, promise)
}

/** Submits `count` tasks, and adds each key to `acknowledged` when its task is stored. */
export const startClient = (
  place: Place,
  book: string,
  prefix: string,
  count: number,
  millis: number,
  acknowledged: Set<string>
): Process => {
  const { promise, resolve } = Promise.withResolvers<void>()
  const args = [JSON.stringify(place), book, prefix, `${count}`, `${millis}`]
  const child = start("clientProgram.ts", args, (line) => {
    // A client that fails prints why, among its keys.
    if (line.startsWith(`${prefix}-`)) acknowledged.add(line)
    else console.error(line)
    resolve()
  })
  child.once("exit", () => resolve())
  return processOf(child, promise)
}

/** Calls one task that would take an hour; `outcome` is the reason of its failure. */
export const startCaller = (
  place: Place,
  book: string,
  key: string
): Process & { readonly outcome: Promise<string> } => {
  const { promise, resolve } = Promise.withResolvers<string>()
  const child = start("callerProgram.ts", [JSON.stringify(place), book, key], resolve)
  child.once("exit", (code, signal) => resolve(`ended with ${signal ?? code}`))
  return { ...processOf(child, Promise.resolve()), outcome: promise }
}

export interface Note {
  readonly what: "begin" | "end"
  readonly key: string
  readonly attempt: number
  readonly pid: number
  readonly at: number
}

export const notesIn = (book: string): ReadonlyArray<Note> =>
  existsSync(book)
    ? readFileSync(book, "utf8").trim().split("\n").map((line) => {
      const [what, key, attempt, pid, at] = line.split(" ")
      return { what: what as Note["what"], key: key!, attempt: Number(attempt), pid: Number(pid), at: Number(at) }
    })
    : []

export interface Books {
  readonly acknowledged: number
  readonly results: number
  /** Acknowledged tasks without their result. */
  readonly lost: ReadonlyArray<string>
  /** Bodies that were started after the first, over all tasks. */
  readonly repeated: number
  /** The ones of them that started after a body of the task had ended. */
  readonly repeatedAfterEnd: number
  /** Bodies that had the attempt of another body of their task. */
  readonly sameAttempt: number
  /** The longest time from the death of a runner until its task was started again, in milliseconds. */
  readonly longestRedelivery: number
}

/** Waits for the results of all acknowledged tasks, and closes the books. */
export const close = (
  place: Place,
  book: string,
  acknowledged: ReadonlySet<string>,
  deaths: ReadonlyMap<number, number>
): Promise<Books> =>
  Effect.gen(function*() {
    const lost: Array<string> = []
    let results = 0
    yield* Effect.forEach(acknowledged, (key) =>
      Effect.gen(function*() {
        const receipt = yield* Works.receipt(work, key)
        if (Option.isNone(receipt)) return void lost.push(key)
        const result = yield* Effect.exit(receipt.value.await)
        if (result._tag === "Success" && result.value === `result of ${key}`) results++
        else lost.push(key)
      }), { concurrency: 64, discard: true })
    return { acknowledged: acknowledged.size, results, lost, ...countIn(notesIn(book), deaths) }
  }).pipe(Effect.provide(Works.layerClient().pipe(Layer.provide(storageOf(place)))), Effect.runPromise)

const countIn = (notes: ReadonlyArray<Note>, deaths: ReadonlyMap<number, number>) => {
  const byKey = Map.groupBy(notes, ({ key }) => key)
  let [repeated, repeatedAfterEnd, sameAttempt, longestRedelivery] = [0, 0, 0, 0]
  for (const notes of byKey.values()) {
    const begins = notes.filter(({ what }) => what === "begin")
    const end = notes.find(({ what }) => what === "end")
    repeated += begins.length - 1
    if (end !== undefined) repeatedAfterEnd += begins.filter(({ at }) => at > end.at).length
    sameAttempt += begins.length - new Set(begins.map(({ attempt }) => attempt)).size
    begins.forEach((begin, i) => {
      const died = deaths.get(begin.pid)
      const next = begins[i + 1]
      const ended = notes.some(({ pid, what }) => what === "end" && pid === begin.pid)
      if (died !== undefined && next !== undefined && !ended) {
        longestRedelivery = Math.max(longestRedelivery, next.at - died)
      }
    })
  }
  return { repeated, repeatedAfterEnd, sameAttempt, longestRedelivery }
}
