/** The streams of the contract. Each thread keeps the notes of its bodies, under a name of the test. */
import { Task } from "effect-blocking"
import * as Result from "effect/Result"
import { appendFileSync, writeFileSync } from "node:fs"

const notes = new Map<string, Array<string>>()
const note = (id: string, what: string): void => {
  notes.set(id, [...notes.get(id) ?? [], what])
}
const yields = new Map<string, number>()

/** The notes of the bodies with that name. */
export const notesOf = Task.make(import.meta.url, "notesOf", (id: string) => notes.get(id) ?? [])

/** The number of elements that the bodies with that name have yielded. */
export const yieldsOf = Task.make(import.meta.url, "yieldsOf", (id: string) => yields.get(id) ?? 0)

/** Counts, and notes its end. */
export const count = Task.stream(
  import.meta.url,
  "count",
  function*(id: string, end: number): Generator<number, void> {
    try {
      for (let n = 0; n < end; n++) {
        yields.set(id, n + 1)
        yield n
      }
      note(id, "done")
    } finally {
      note(id, "finally")
    }
  }
)

export class Truncated extends Error {
  readonly _tag = "Truncated"
  readonly at: number
  constructor(at: number) {
    super(`truncated at ${at}`)
    this.name = "Truncated"
    this.at = at
  }
}

/** Ends with a domain error, after some elements. */
export const truncated = Task.stream(
  import.meta.url,
  "truncated",
  function*(end: number): Generator<number, Result.Result<void, Truncated>> {
    for (let n = 0; n < end; n++) yield n
    return Result.fail(new Truncated(end))
  },
  { errors: [Truncated] }
)

/** Throws after some elements. */
export const panics = Task.stream(import.meta.url, "panics", function*(end: number): Generator<number, void> {
  for (let n = 0; n < end; n++) yield n
  throw new RangeError("a bug", { cause: new Error("its cause") })
})

/** Its last element cannot cross. */
export const uncloneable = Task.stream(
  import.meta.url,
  "uncloneable",
  function*(id: string, end: number): Generator<object, void> {
    try {
      for (let n = 0; n < end; n++) yield { n }
      yield { rows: [{ onDone: () => {} }] }
    } finally {
      note(id, "finally")
    }
  }
)

/** Would arrive empty. */
export const lost = Task.stream(import.meta.url, "lost", function*(): Generator<object, void> {
  yield { n: 0 }
  yield { lost: new WeakMap() }
})

/** Moves its elements, and notes the remaining size of the previous one. */
export const moves = Task.stream(
  import.meta.url,
  "moves",
  function*(id: string, end: number): Generator<{ readonly bytes: Uint8Array }, void> {
    for (let n = 0; n < end; n++) {
      const bytes = new Uint8Array(1024).fill(n)
      yield { bytes: Task.move(bytes) }
      note(id, `${bytes.byteLength}`)
    }
  }
)

/** Yields strings of a given length. */
export const texts = Task.stream(import.meta.url, "texts", function*(length: number): Generator<string, void> {
  while (true) yield "x".repeat(length)
})

/** Yields small objects that contain large ones. */
export const pages = Task.stream(
  import.meta.url,
  "pages",
  function*(length: number): Generator<{ readonly text: string }, void> {
    while (true) yield { text: "x".repeat(length) }
  }
)

/** Yields while it is closed, which is ignored. */
export const yieldsOnClose = Task.stream(
  import.meta.url,
  "yieldsOnClose",
  function*(id: string): Generator<number, void> {
    try {
      while (true) yield 0
    } finally {
      yield 1
      yield 2
      note(id, "closed")
    }
  }
)

/** Throws while it is closed. */
export const panicsOnClose = Task.stream(
  import.meta.url,
  "panicsOnClose",
  function*(): Generator<number, void> {
    try {
      while (true) yield 0
    } finally {
      // oxlint-disable-next-line eslint/no-unsafe-finally
      throw new Error("cannot close")
    }
  }
)

/** Ends its thread after a number of elements, in the middle of a chunk. */
export const exits = Task.stream(
  import.meta.url,
  "exits",
  function*(started: string, end: number): Generator<number, void> {
    appendFileSync(started, ".")
    for (let n = 0; n < end; n++) yield n
    process.exit(5)
  }
)

/** Never ends, and yields only a given number of elements. */
export const spins = Task.stream(
  import.meta.url,
  "spins",
  function*(entered: string, elements: number): Generator<number, void> {
    for (let n = 0; n < elements; n++) yield n
    writeFileSync(entered, "")
    while (true) {}
  }
)

/** Cannot be closed: it stays in its `finally`. */
export const stays = Task.stream(import.meta.url, "stays", function*(closing: string): Generator<number, void> {
  try {
    while (true) yield 0
  } finally {
    writeFileSync(closing, "")
    while (true) {}
  }
})

/** Not a generator either, despite its type. */
export const noSynchronousGenerator = Task.stream(
  import.meta.url,
  "noSynchronousGenerator",
  (() =>
    async function*() {
      yield 1
    }()) as unknown as () => Generator<number, void>
)

/** Not a generator, despite its type. */
export const noGenerator = Task.stream(
  import.meta.url,
  "noGenerator",
  (() => [1, 2]) as unknown as () => Generator<number, void>
)
