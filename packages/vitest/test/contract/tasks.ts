/** The bodies of the contract. They use nothing specific to threads or to processes. */
import { Task } from "effect-blocking"
import * as Result from "effect/Result"
import * as Schema from "effect/Schema"
import { appendFileSync, existsSync } from "node:fs"

export const add = Task.make(import.meta.url, "add", (a: number, b: number) => a + b)

export const shout = Task.make(import.meta.url, "shout", (words: { readonly text: string }) => ({
  text: words.text.toUpperCase()
}))

export const halve = Task.make(
  import.meta.url,
  "halve",
  (n: number) => n % 2 === 0 ? Result.succeed(n / 2) : Result.fail({ _tag: "Odd", n } as const)
)

export class NotFound extends Error {
  readonly _tag = "NotFound"
  readonly id: number
  constructor(id: number) {
    super(`no user ${id}`, { cause: new RangeError("row missing") })
    this.name = "NotFound"
    this.id = id
  }
}

export const find = Task.make(
  import.meta.url,
  "find",
  (id: number): Result.Result<string, NotFound> => Result.fail(new NotFound(id))
)
export const findWithClass = Task.make(
  import.meta.url,
  "findWithClass",
  (id: number): Result.Result<string, NotFound> => Result.fail(new NotFound(id)),
  { errors: [NotFound] }
)

export const panics = Task.make(import.meta.url, "panics", (thrown: object | undefined): number => {
  if (thrown !== undefined) throw thrown
  throw new TypeError("a bug", { cause: new Error("its cause") })
})

export const uncloneable = Task.make(
  import.meta.url,
  "uncloneable",
  () => ({ rows: [{ toJSON: () => 1 }] }) as object
)

export const bytesOf = Task.make(import.meta.url, "bytesOf", (bytes: Uint8Array) => bytes.length)

/** Changes its argument, and returns the value it had before. */
export const empties = Task.make(import.meta.url, "empties", (list: Array<number>) => list.splice(0).length)

/** Notes that it ran. */
export const note = Task.make(import.meta.url, "note", (file: string, line: string) => {
  appendFileSync(file, `${line}\n`)
})

const counter = Task.threadLocal(() => ({ count: 0 }))
export const count = Task.make(import.meta.url, "count", () => ++counter().count)

export const exit = Task.make(import.meta.url, "exit", (code: number): void => {
  process.exit(code)
})

export const data = Task.make(import.meta.url, "data", () => Task.threadData<{ readonly seed: number }>()?.seed ?? -1)

export const inPoolThread = Task.make(import.meta.url, "inPoolThread", () => Task.inPoolThread())

/** Signals that it has started, and runs until the file exists or it is asked to stop. */
export const hold = Task.make(import.meta.url, "hold", (started: string, release: string, polite: boolean) => {
  appendFileSync(started, "started\n")
  const pause = new Int32Array(new SharedArrayBuffer(4))
  while (!existsSync(release)) {
    if (polite) Task.checkpoint()
    Atomics.wait(pause, 0, 0, 1)
  }
  return "held"
})

export const attempted = Task.schema(
  import.meta.url,
  "attempted",
  { payload: Schema.String, success: Schema.String },
  (text) => `${text} ${Task.attempt()}`
)

export const attempt = Task.schema(import.meta.url, "attempt", { success: Schema.Int }, () => Task.attempt())
