/**
 * The bodies of the soak: ordinary ones and faulty ones. Each notes its start, which reveals a task that ran twice, or
 * ran although it was cancelled.
 */
import { Task } from "effect-blocking"
import * as Result from "effect/Result"
import { appendFileSync, readFileSync } from "node:fs"

/** Where bodies note their starts: in memory that threads share, or in a file for processes. */
export type Runs = Int32Array | string

export const start = (runs: Runs, index: number): void => {
  if (typeof runs === "string") appendFileSync(runs, `${index}\n`)
  else Atomics.add(runs, index, 1)
}

const spin = (millis: number): void => {
  const end = performance.now() + millis
  while (performance.now() < end);
}

export const number = Task.make(import.meta.url, "number", (runs: Runs, index: number, n: number) => {
  start(runs, index)
  return n + 1
})

export const text = Task.make(import.meta.url, "text", (runs: Runs, index: number, words: string) => {
  start(runs, index)
  return words.toUpperCase()
})

export const moved = Task.make(import.meta.url, "moved", (runs: Runs, index: number, bytes: Uint8Array) => {
  start(runs, index)
  return Task.move(bytes)
})

export const busy = Task.make(import.meta.url, "busy", (runs: Runs, index: number, millis: number) => {
  start(runs, index)
  spin(millis)
  return millis
})

export const fails = Task.make(import.meta.url, "fails", (runs: Runs, index: number) => {
  start(runs, index)
  return index % 2 === 0 ? Result.succeed(index) : Result.fail({ _tag: "Odd", index } as const)
})

export const panics = Task.make(import.meta.url, "panics", (runs: Runs, index: number): number => {
  start(runs, index)
  throw new TypeError("a bug", { cause: index })
})

export const exits = Task.make(import.meta.url, "exits", (runs: Runs, index: number): number => {
  start(runs, index)
  return process.exit(3)
})

/** Crashes its process. On a thread, that would be the program. */
export const crashes = Task.make(import.meta.url, "crashes", (runs: Runs, index: number): number => {
  start(runs, index)
  process.kill(process.pid, "SIGKILL")
  while (true);
})

export const endless = Task.make(import.meta.url, "endless", (runs: Runs, index: number): number => {
  start(runs, index)
  while (true);
})

export const polite = Task.make(import.meta.url, "polite", (runs: Runs, index: number): number => {
  start(runs, index)
  while (true) Task.checkpoint()
})

export const uncloneable = Task.make(import.meta.url, "uncloneable", (runs: Runs, index: number) => {
  start(runs, index)
  return { callback: () => index } as object
})

export const late = Task.make(import.meta.url, "late", (runs: Runs, index: number) => {
  start(runs, index)
  setTimeout(() => {
    throw new Error("late throw")
  })
  void Promise.reject(new Error("late rejection"))
  return index
})

/** Exceeds the `resourceLimits` of its thread. */
export const hungry = Task.make(import.meta.url, "hungry", (runs: Runs, index: number): number => {
  start(runs, index)
  const kept: Array<unknown> = []
  while (true) kept.push(Array.from({ length: 100 }, (_, i) => ({ i, text: `${i}` })))
})

/** Stays in native code until a writer has opened and closed the named pipe. */
export const native = Task.make(import.meta.url, "native", (runs: Runs, index: number, path: string) => {
  start(runs, index)
  return readFileSync(path, "utf8").length
})

const connection = Task.threadLocal(() => ({ queries: 0 }), { release: (it) => it.queries = -1 })
export const query = Task.make(import.meta.url, "query", (runs: Runs, index: number) => {
  start(runs, index)
  return ++connection().queries
})
