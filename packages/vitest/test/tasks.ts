import { Task } from "effect-blocking"
import * as Result from "effect/Result"
import * as Schema from "effect/Schema"

export class Odd extends Schema.TaggedError<Odd>()("Odd", { n: Schema.Int }) {}

export const add = Task.make(import.meta.url, "add", (a: number, b: number) => a + b)

export const half = Task.make(
  import.meta.url,
  "half",
  (n: number) => n % 2 === 0 ? Result.succeed(n / 2) : Result.fail(new Odd({ n })),
  { errors: [Odd] }
)

export const boom = Task.make(import.meta.url, "boom", (): number => {
  throw new TypeError("boom", { cause: new Error("deeper") })
})

/** Adds to what it got, and gives that back. */
export const push = Task.make(import.meta.url, "push", (list: Array<number>) => {
  list.push(list.length)
  return list
})

export const any = Task.make(import.meta.url, "any", (value: unknown) => value)

export const leak = Task.make(import.meta.url, "leak", (): unknown => ({ on: { done: () => {} } }))

export const fill = Task.make(import.meta.url, "fill", (buffer: ArrayBuffer) => {
  new Uint8Array(buffer).fill(7)
  return Task.move(buffer)
})

export const limited = Task.make(import.meta.url, "limited", () => Task.stopRequested(), { timeLimit: "1 second" })

export const impatient = Task.make(import.meta.url, "impatient", () => 1, { queueTimeLimit: "1 second" })

export const cleanups: Array<string> = []

export const polite = Task.make(import.meta.url, "polite", (name: string) => {
  try {
    Task.checkpoint()
    return name
  } finally {
    cleanups.push(name)
  }
})

export const releases: Array<number> = []
let made = 0

const connection = Task.threadLocal(() => ++made, { release: (n) => void releases.push(n) })

export const query = Task.make(import.meta.url, "query", () => connection())

export const context = Task.make(import.meta.url, "context", () => ({
  inThread: Task.inPoolThread(),
  data: Task.threadData<{ readonly region: string }>()?.region
}))

export const parse = Task.schema(import.meta.url, "parse", {
  payload: Schema.Int,
  success: Schema.Date,
  error: Odd
}, (n) => n % 2 === 0 ? Result.succeed(new Date(n)) : Result.fail(new Odd({ n })))

export const mandatory = Task.with(add, { mandatory: true })
