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

/** Yields the program's answer for each element. */
export const added = Task.stream(import.meta.url, "added", function*(to: number): Generator<number, void> {
  for (let n = 1; n <= to; n++) {
    Log.send(n)
    yield Add.callOrThrow(n, 1000)
  }
}, { callbacks: [Add, Log] })

/** Notifies the program before each element, and asks nothing. */
export const told = Task.stream(import.meta.url, "told", function*(to: number): Generator<number, void> {
  for (let n = 1; n <= to; n++) {
    Log.send(n)
    yield n
  }
}, { callbacks: [Log] })

/** The same for the elements of its input. */
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

export const notNamed = Task.make(import.meta.url, "notNamed", () => Add.callOrThrow(1, 1), { callbacks: [Find] })

/** Asks the program for each element, and is suspended meanwhile. */
export const asked = Task.stream(import.meta.url, "asked", function*(to: number): Generator<number, void> {
  for (let n = 1; n <= to; n++) yield yield* Add.askOrThrow(n, 1000)
}, { callbacks: [Add] })

/** Asks for every second element only, so its chunks contain others as well. */
export const askedFor = Task.pipe(
  import.meta.url,
  "askedFor",
  function*(input: Iterable<number>): Generator<number, void> {
    for (const n of input) yield n % 2 === 0 ? n : yield* Add.askOrThrow(n, 1000)
  },
  { callbacks: [Add] }
)

/** Yields the program's answer for each id. */
export const found = Task.stream(
  import.meta.url,
  "found",
  function*(ids: ReadonlyArray<string>): Generator<unknown, void> {
    for (const id of ids) {
      const found = yield* Find.ask(id)
      yield found._tag === "Success" ? found.success : `${found.failure.message}, ${found.failure instanceof Missing}`
    }
  },
  { callbacks: [Find] }
)

/** Asks, and leaves a file behind when it ends. */
export const asksOnce = Task.stream(import.meta.url, "asksOnce", function*(file: string): Generator<number, void> {
  yield 0
  try {
    yield yield* Add.askOrThrow(1, 1)
  } finally {
    writeFileSync(file, "")
  }
}, { callbacks: [Add] })

/** Asks again while it is closed. */
export const asksInItsEnd = Task.stream(
  import.meta.url,
  "asksInItsEnd",
  function*(file: string): Generator<number, void> {
    try {
      while (true) yield 0
    } finally {
      try {
        yield yield* Add.askOrThrow(1, 1)
      } finally {
        writeFileSync(file, "")
      }
    }
  },
  { callbacks: [Add] }
)

/** Returns the errors of questions that are not asked with `yield*`, or cannot be. */
export const misasked = Task.stream(import.meta.url, "misasked", function*(how: string): Generator<unknown, void> {
  const add = Add.askOrThrow as (...args: ReadonlyArray<unknown>) => Callback.Question<number>
  yield 1
  if (how === "no star") yield add(1, 1)
  if (how === "spread") yield Array.from(add(1, 1) as Iterable<never>)
  if (how === "inner") {
    const inner = function*() {
      yield yield* add(1, 1)
    }
    for (const element of inner()) yield element
  }
  try {
    yield yield* add(1, { rows: [() => {}] })
  } catch (error) {
    yield `${(error as { readonly path?: string }).path}`
  }
}, { callbacks: [Add] })

export const askedInRun = Task.make(import.meta.url, "askedInRun", () => Array.from(Add.ask(1, 1)), {
  callbacks: [Add]
})

/** Asks a callback that its task does not name. */
export const notNamedAsked = Task.stream(
  import.meta.url,
  "notNamedAsked",
  function*(): Generator<number, void> {
    yield yield* Add.askOrThrow(1, 1)
  }
)
