/** The bodies for the rules of `Parallel`. */
import { Callback, Task } from "effect-blocking"
import * as Result from "effect/Result"
import { appendFileSync, existsSync, writeFileSync } from "node:fs"

export const square = Task.make(import.meta.url, "square", (n: number) => n * n)

/** One value of each kind that is sent in its own way. */
export const values = [1.5, -0, Number.NaN, true, false, null, undefined, "text", { deep: [1] }, 2n] as const

export const valueOf = Task.make(import.meta.url, "valueOf", (n: number) => values[n % values.length])

export interface Person {
  readonly id: number
  readonly name: string
}

export const greet = Task.make(import.meta.url, "greet", ({ id, name }: Person) => ({ id, text: `hello ${name}` }))

export const idOf = Task.make(import.meta.url, "idOf", ({ id }: Person) => id)

export const isEven = Task.make(import.meta.url, "isEven", (n: number) => n % 2 === 0)

export const isWanted = Task.make(import.meta.url, "isWanted", ({ name }: Person) => name.endsWith("7"))

export const append = Task.make(import.meta.url, "append", (text: string, n: number) => `${text}${n},`)

export const concat = Task.make(import.meta.url, "concat", (left: string, right: string) => left + right)

export const push = Task.make(import.meta.url, "push", (list: Array<number>, { id }: Person) => {
  list.push(id)
  return list
})

export const join = Task.make(
  import.meta.url,
  "join",
  (left: Array<number>, right: Array<number>) => [...left, ...right]
)

export const add = Task.make(import.meta.url, "add", (a: number, b: number) => a + b)

export const breaks = Task.make(import.meta.url, "breaks", (_left: number, _right: number): number => {
  throw new Error("cannot be combined")
})

export const rangeOf = Task.make(import.meta.url, "rangeOf", (start: number, end: number) => [start, end] as const)

export const fill = Task.make(
  import.meta.url,
  "fill",
  (start: number, end: number, out: Float64Array, factor: number) => {
    for (let i = start; i < end; i++) out[i] = i * factor
  }
)

export const brokenRange = Task.make(import.meta.url, "brokenRange", (start: number, end: number) => {
  if (start <= 500 && 500 < end) throw new RangeError("500 is in it")
})

/** The action of an item: note that it was begun, and … */
export interface Step {
  readonly id: number
  readonly file?: string | undefined
  readonly does?: "fail" | "panic" | "exit" | "endless" | "polite" | "hold" | "function" | undefined
  /** … once that file exists. */
  readonly after?: string | undefined
  /** A file that it creates. */
  readonly tells?: string | undefined
}

const pause = new Int32Array(new SharedArrayBuffer(4))

export class Odd extends Error {
  readonly _tag = "Odd"
  readonly id: number
  constructor(id: number) {
    super(`${id} is odd`)
    this.name = "Odd"
    this.id = id
  }
}

export const step = Task.make(
  import.meta.url,
  "step",
  ({ after, file, id, tells, does }: Step): Result.Result<unknown, Odd> => {
    if (file !== undefined) appendFileSync(file, `${id}\n`)
    if (tells !== undefined) writeFileSync(tells, "")
    if (after !== undefined) { while (!existsSync(after)) Atomics.wait(pause, 0, 0, 1) }
    switch (does) {
      case "fail":
        return Result.fail(new Odd(id))
      case "panic":
        throw new TypeError(`no item ${id}`)
      case "exit":
        return process.exit(3)
      case "endless":
        while (true);
      case "polite":
        try {
          while (true) {
            Task.checkpoint()
            Atomics.wait(pause, 0, 0, 1)
          }
        } finally {
          if (file !== undefined) appendFileSync(file, `${id} stopped\n`)
        }
      case "function":
        return Result.succeed({ deep: [() => id] })
    }
    return Result.succeed(id)
  },
  { errors: [Odd] }
)

/** The same for a number, which is the item. */
export const numberStep = Task.make(import.meta.url, "numberStep", (n: number): Result.Result<number, Odd> => {
  if (n === 700 || n === 900) return Result.fail(new Odd(n))
  if (n === 300_000) throw new TypeError(`no item ${n}`)
  if (n === 400_000) process.exit(3)
  if (n === 500_000) { while (true); }
  return Result.succeed(n)
})

/** Keeps its thread busy for a while. */
export const busy = Task.make(import.meta.url, "busy", (millis: number) => {
  const end = performance.now() + millis
  while (performance.now() < end);
  return millis
})

export const busyPerson = Task.make(import.meta.url, "busyPerson", ({ id }: Person) => {
  const end = performance.now() + 1
  while (performance.now() < end);
  return id
})

/** Fails where the item says so, for the comparison with a plain loop. */
export const modelled = Task.make(
  import.meta.url,
  "modelled",
  (item: number | Person): Result.Result<number, string> => {
    const n = typeof item === "number" ? item : item.id
    if (n % 1000 === 999) return Result.fail(`failed ${n}`)
    if (n % 1000 === 998) throw new Error(`panicked ${n}`)
    return Result.succeed(n * 2)
  }
)

export const modelledTest = Task.make(
  import.meta.url,
  "modelledTest",
  (item: number | Person): Result.Result<boolean, string> => {
    const n = typeof item === "number" ? item : item.id
    if (n % 1000 === 999) return Result.fail(`failed ${n}`)
    if (n % 1000 === 998) throw new Error(`panicked ${n}`)
    return Result.succeed(n % 7 === 0)
  }
)

export const modelledStep = Task.make(
  import.meta.url,
  "modelledStep",
  (text: string, item: number | Person): Result.Result<string, string> => {
    const n = typeof item === "number" ? item : item.id
    if (n % 1000 === 999) return Result.fail(`failed ${n}`)
    if (n % 1000 === 998) throw new Error(`panicked ${n}`)
    return Result.succeed(`${text}${n},`)
  }
)

export class Name extends Callback.Service<Name>()("contract/Name", Callback.fn<[id: number], string>()) {}

export const nameOf = Task.make(import.meta.url, "nameOf", (id: number) => Result.getOrThrow(Name.call(id)), {
  callbacks: [Name]
})

export const moved = Task.make(
  import.meta.url,
  "moved",
  (bytes: Uint8Array) => Task.move(bytes.map((byte) => byte + 1))
)

export const slow = Task.make(import.meta.url, "slow", ({ millis }: { readonly millis: number }) => {
  const end = performance.now() + millis
  while (performance.now() < end);
})

/** Lets an item continue. */
export const tell = (file: string): void => writeFileSync(file, "")
