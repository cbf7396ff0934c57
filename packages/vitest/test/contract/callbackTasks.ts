/** Bodies that call the program. */
import { Callback, Task } from "effect-blocking"
import { writeFileSync } from "node:fs"

export class Missing extends Error {
  readonly _tag = "Missing"
  readonly id: string
  constructor(id: string) {
    super(`nothing called ${id}`)
    this.id = id
  }
}

export class Find
  extends Callback.Service<Find>()("contract/Find", Callback.fn<[id: string], unknown, Missing>({ errors: [Missing] }))
{}

export class Add extends Callback.Service<Add>()("contract/Add", Callback.fn<[a: number, b: number], number>()) {}

export class Log extends Callback.Service<Log>()("contract/Log", Callback.notify<[n: number]>()) {}

export const find = Task.make(import.meta.url, "find", (id: string) => {
  const found = Find.call(id)
  return found._tag === "Success"
    ? found.success as string
    : `${found.failure.message}, ${found.failure instanceof Missing}`
}, { callbacks: [Find] })

export const sum = Task.make(import.meta.url, "sum", (to: number) => {
  let total = 0
  for (let n = 1; n <= to; n++) total = Add.callOrThrow(total, n)
  return total
}, { callbacks: [Add] })

export const logs = Task.make(import.meta.url, "logs", (to: number) => {
  for (let n = 1; n <= to; n++) Log.send(n)
  return to
}, { callbacks: [Log] })

/** Each element is what the program has made of it. */
export const added = Task.stream(import.meta.url, "added", function*(to: number): Generator<number, void> {
  for (let n = 1; n <= to; n++) {
    Log.send(n)
    yield Add.callOrThrow(n, 1000)
  }
}, { callbacks: [Add, Log] })

/** Tells the program before each element, and asks it nothing. */
export const told = Task.stream(import.meta.url, "told", function*(to: number): Generator<number, void> {
  for (let n = 1; n <= to; n++) {
    Log.send(n)
    yield n
  }
}, { callbacks: [Log] })

/** The same of elements that it takes. */
export const addedTo = Task.pipe(
  import.meta.url,
  "addedTo",
  function*(input: Iterable<number>): Generator<number, void> {
    for (const n of input) yield Add.callOrThrow(n, 1000)
  },
  { callbacks: [Add] }
)

export const waits = Task.make(import.meta.url, "waits", (file: string) => {
  try {
    return Add.callOrThrow(1, 1)
  } finally {
    writeFileSync(file, "")
  }
}, { callbacks: [Add] })

export const notNamed = Task.make(import.meta.url, "notNamed", () => Add.callOrThrow(1, 1))
