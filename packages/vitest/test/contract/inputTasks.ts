/** Bodies that take the elements of a stream. */
import { Task } from "effect-blocking"
import { writeFileSync } from "node:fs"

export interface Refused {
  readonly _tag: "Refused"
  readonly n: number
}

interface ResultLike {
  readonly _tag: "Failure"
  readonly failure: Refused
}

const refuse = (n: number): ResultLike =>
  Object.assign(Object.create({ "~effect/Result": {} }) as object, {
    _tag: "Failure" as const,
    failure: { _tag: "Refused" as const, n }
  })

export const collect = Task.sink(
  import.meta.url,
  "collect",
  (input: Iterable<unknown>) => Array.from(input) as Array<number>
)

export const sum = Task.sink(import.meta.url, "sum", (input: Iterable<number>, start: number) => {
  let total = start
  for (const n of input) total += n
  return total
})

/** Leaves its loop, and continues with the rest in another. */
export const twice = Task.sink(import.meta.url, "twice", (input: Iterable<number>) => {
  const first: Array<number> = []
  for (const n of input) {
    first.push(n)
    if (first.length === 2) break
  }
  return [first, Array.from(input)]
})

export const firsts = Task.sink(import.meta.url, "firsts", (input: Iterable<number>, count: number) => {
  const found: Array<number> = []
  if (count === 0) return found
  for (const n of input) if (found.push(n) === count) break
  return found
})

/** Fails with the first element that is negative. */
export const positive = Task.sink(import.meta.url, "positive", (input: Iterable<number>) => {
  for (const n of input) if (n < 0) return refuse(n) as unknown as number
  return 0
})

export const panics = Task.sink(import.meta.url, "panics", (input: Iterable<number>): number => {
  for (const n of input) if (n === 3) throw new Error("three")
  return 0
})

/** Leaves a file behind when it ends, in any way. */
export const cleans = Task.sink(import.meta.url, "cleans", (input: Iterable<number>, file: string) => {
  try {
    let count = 0
    for (const _ of input) count++
    return count
  } finally {
    writeFileSync(file, "")
  }
})

let kept: Iterator<number> | undefined

export const keeps = Task.sink(import.meta.url, "keeps", (input: Iterable<number>) => {
  kept = input[Symbol.iterator]()
  return 0
})

export const keepsInPipe = Task.pipe(
  import.meta.url,
  "keepsInPipe",
  function*(input: Iterable<number>): Generator<number, void> {
    kept = input[Symbol.iterator]()
    yield* input
  }
)

export const usesKept = Task.make(import.meta.url, "usesKept", () => {
  try {
    kept!.next()
    return "nothing"
  } catch (error) {
    return String(error)
  }
})

/** Has its own input, and takes from the input of another run. */
export const takesFromKept = Task.sink(import.meta.url, "takesFromKept", (input: Iterable<number>) => {
  let taken: string
  try {
    taken = String(kept!.next().value)
  } catch (error) {
    taken = String(error)
  }
  return { taken, left: Array.from(input) }
})

export const double = Task.pipe(import.meta.url, "double", function*(input: Iterable<number>): Generator<number, void> {
  for (const n of input) yield n * 2
})

export const take = Task.pipe(
  import.meta.url,
  "take",
  function*(input: Iterable<number>, count: number): Generator<number, void> {
    let taken = 0
    if (count === 0) return
    for (const n of input) {
      yield n
      if (++taken === count) return
    }
  }
)

/** Yields the sums of a given number of elements. */
export const sums = Task.pipe(
  import.meta.url,
  "sums",
  function*(input: Iterable<number>, size: number): Generator<number, void> {
    let [total, count] = [0, 0]
    for (const n of input) {
      total += n
      if (++count % size === 0) {
        yield total
        total = 0
      }
    }
    if (count % size > 0) yield total
  }
)

export const cleansPipe = Task.pipe(
  import.meta.url,
  "cleansPipe",
  function*(input: Iterable<number>, file: string): Generator<number, void> {
    try {
      for (const n of input) yield n
    } finally {
      writeFileSync(file, "")
    }
  }
)

export const positivePipe = Task.pipe(import.meta.url, "positivePipe", function*(input: Iterable<number>) {
  for (const n of input) {
    if (n < 0) return refuse(n) as unknown as undefined
    yield n
  }
})
