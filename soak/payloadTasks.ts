/**
 * The bodies of the soak of payloads. The memory in which starts are noted comes with the
 * thread: as an argument it would keep all others from lying in shared memory.
 */
import { Task } from "effect-blocking"
import * as Result from "effect/Result"
import { isArrived, type Size, spoil, valueOf } from "./values.ts"

export interface ThreadData {
  readonly runs: Int32Array
  /** Arguments that were not what was passed: a panic alone can go unheard. */
  readonly wrong: Int32Array
}

/** What the last body gave: it is changed when the next one begins, and has to be on its way whole by then. */
let last: unknown

const start = (index: number): ThreadData => {
  const data = Task.threadData<ThreadData>()!
  Atomics.add(data.runs, index, 1)
  spoil(last)
  last = undefined
  return data
}

const check = ({ wrong }: ThreadData, seed: number, size: Size, value: unknown): void => {
  if (isArrived(value, valueOf(seed, size))) return
  Atomics.add(wrong, 0, 1)
  throw new Error(`The argument made of ${seed}, ${size}, arrived as another`)
}

const give = (seed: number, size: Size): object => {
  const value = valueOf(seed, size) as object
  last = value
  return value
}

/** Takes a value, and gives the next one. */
export const echo = Task.make(
  import.meta.url,
  "echo",
  (index: number, seed: number, size: Size, value: object): object => {
    check(start(index), seed, size, value)
    return give(seed + 1, size)
  }
)

/** Gives what it was given. */
export const identity = Task.make(
  import.meta.url,
  "identity",
  (index: number, seed: number, size: Size, value: object): object => {
    check(start(index), seed, size, value)
    return value
  }
)

export const make = Task.make(import.meta.url, "make", (index: number, seed: number, size: Size): object => {
  start(index)
  return give(seed, size)
})

export const fails = Task.make(
  import.meta.url,
  "fails",
  (index: number, seed: number, value: object): Result.Result<object, object> => {
    check(start(index), seed, "small", value)
    return seed % 2 === 0 ? Result.succeed(give(seed, "small")) : Result.fail(valueOf(seed, "small") as object)
  }
)

export const moves = Task.make(
  import.meta.url,
  "moves",
  (index: number, value: { readonly moved: Uint8Array; readonly n: number }) => {
    const { wrong } = start(index)
    if (!value.moved.every((byte) => byte === value.n)) Atomics.add(wrong, 0, 1)
    return { moved: Task.move(value.moved), n: value.n }
  }
)

export const uncloneable = Task.make(import.meta.url, "uncloneable", (index: number, seed: number): object => {
  start(index)
  return { value: valueOf(seed, "any"), callback: () => seed }
})

export const polite = Task.make(import.meta.url, "polite", (index: number, seed: number, value: object): object => {
  check(start(index), seed, "any", value)
  while (true) Task.checkpoint()
})

export const endless = Task.make(import.meta.url, "endless", (index: number, seed: number, value: object): object => {
  check(start(index), seed, "any", value)
  while (true) last = valueOf(seed, "small")
})

export const exits = Task.make(import.meta.url, "exits", (index: number, seed: number, value: object): object => {
  check(start(index), seed, "any", value)
  return process.exit(3)
})

/** Ends its thread by its memory, under `resourceLimits`. */
export const hungry = Task.make(import.meta.url, "hungry", (index: number): number => {
  start(index)
  const kept: Array<unknown> = []
  while (true) kept.push(Array.from({ length: 100 }, (_, i) => ({ i, text: `${i}` })))
})
