/** Bodies for the soak of streams and callbacks: they yield, iterate their input, or call their program. */
import { Callback, Task } from "effect-blocking"
import * as Result from "effect/Result"
import { type Runs, start } from "./tasks.ts"

/** Answered with `n + 1`: at once, later, or by a task on the same pool. */
export class Ask extends Callback.Service<Ask>()("soak/Ask", Callback.fn<[n: number], number>()) {}
export class Told extends Callback.Service<Told>()("soak/Told", Callback.notify<[n: number]>()) {}

/** Yields the numbers below `count`. Some come with a text or bytes, so that chunks have every size. */
export const numbers = Task.stream(import.meta.url, "numbers", function*(runs: Runs, index: number, count: number) {
  start(runs, index)
  for (let n = 0; n < count; n++) {
    yield n % 50 === 0 ? { n, more: "x".repeat(n % 5000) } : n % 333 === 0 ? { n, more: new Uint8Array(40_000) } : { n }
  }
})

/** Ends its thread at the element `at`. */
export const dying = Task.stream(import.meta.url, "dying", function*(runs: Runs, index: number, at: number) {
  start(runs, index)
  for (let n = 0;; n++) {
    if (n === at) process.exit(3)
    yield { n }
  }
})

export const failing = Task.stream(import.meta.url, "failing", function*(runs: Runs, index: number, at: number) {
  start(runs, index)
  for (let n = 0; n < at; n++) yield { n }
  return Result.fail({ _tag: "At", at } as const)
})

export const sum = Task.sink(
  import.meta.url,
  "sum",
  (input: Iterable<{ readonly n: number }>, runs: Runs, index: number) => {
    start(runs, index)
    let total = 0
    for (const { n } of input) total += n
    return total
  }
)

export const doubled = Task.pipe(
  import.meta.url,
  "doubled",
  function*(input: Iterable<{ readonly n: number }>, runs: Runs, index: number) {
    start(runs, index)
    for (const { n } of input) yield { n: 2 * n }
  }
)

export const asks = Task.make(import.meta.url, "asks", (runs: Runs, index: number, count: number) => {
  start(runs, index)
  let total = 0
  for (let n = 0; n < count; n++) {
    total += Ask.callOrThrow(n)
    Told.send(n)
  }
  return total
}, { callbacks: [Ask, Told] })

/** Asks without blocking its thread. */
export const yields = Task.stream(import.meta.url, "yields", function*(runs: Runs, index: number, count: number) {
  start(runs, index)
  for (let n = 0; n < count; n++) {
    const answer = yield* Ask.ask(n)
    yield { n: Result.getOrThrow(answer) }
  }
}, { callbacks: [Ask] })
