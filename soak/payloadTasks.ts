/**
 * The bodies of the soak of payloads. The memory in which they note their starts is thread data: as an argument it
 * would keep the other arguments out of shared memory.
 */
import { Task } from "effect-blocking"
import * as Result from "effect/Result"
import { isArrived, type Size, spoil, valueOf } from "./values.ts"

export interface ThreadData {
  readonly runs: Int32Array
  /** The number of wrong arguments. A panic alone may go unnoticed. */
  readonly wrong: Int32Array
}

/** The result of the last body. It is changed when the next body begins, and must have been sent completely by then. */
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
  throw new Error(`The argument made from seed ${seed}, size ${size}, arrived as a different value`)
}

const give = (seed: number, size: Size): object => {
  const value = valueOf(seed, size) as object
  last = value
  return value
}

/** Takes a value, and returns the next one. */
export const echo = Task.make(
  import.meta.url,
  "echo",
  (index: number, seed: number, size: Size, value: object): object => {
    check(start(index), seed, size, value)
    return give(seed + 1, size)
  }
)

/** Returns its argument. */
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

/** Exceeds the `resourceLimits` of its thread. */
export const hungry = Task.make(import.meta.url, "hungry", (index: number): number => {
  start(index)
  const kept: Array<unknown> = []
  while (true) kept.push(Array.from({ length: 100 }, (_, i) => ({ i, text: `${i}` })))
})
