/** Checks the result with planted files, for which the right answer is known. */
import { Effect, FileSystem, Path, Schema } from "effect"
import type { Pair } from "./tasks.ts"

export class WrongResult extends Schema.TaggedError<WrongResult>()("WrongResult", { message: Schema.String }) {}

const words = (seed: number, count: number): ReadonlyArray<string> =>
  Array.from({ length: count }, (_, i) => `word${(seed * 7919 + i * i * 31 + i) % 5000}`)

/** Writes three files: the second is the first with a few words changed, the third is different. */
export const plant = Effect.gen(function*() {
  const fs = yield* FileSystem.FileSystem
  const path = yield* Path.Path
  const folder = yield* fs.makeTempDirectoryScoped({ prefix: "parallel-search-" })
  const original = words(1, 2000)
  const edited = original.map((word, i) => i % 400 === 7 ? `edited${i}` : word)
  const [first, second, third] = ["first.md", "second.md", "third.md"].map((name) => path.join(folder, name)) as [
    string,
    string,
    string
  ]
  yield* fs.writeFileString(first, original.join(" "))
  yield* fs.writeFileString(second, edited.join(" "))
  yield* fs.writeFileString(third, words(2, 2000).join(" "))
  return { first, second, third }
})

interface Found {
  readonly planted: { readonly first: string; readonly second: string; readonly third: string }
  readonly one: ReadonlyArray<{ readonly signature: Uint32Array }>
  readonly all: ReadonlyArray<{ readonly signature: Uint32Array }>
  readonly alike: ReadonlyArray<Pair>
}

export const check = Effect.fn("check")(function*({ alike, all, one, planted }: Found) {
  if (one.length !== all.length || one.some(({ signature }, i) => signature.join() !== all[i]!.signature.join())) {
    return yield* new WrongResult({ message: "One thread and all threads make different signatures" })
  }
  const { first, second, third } = planted
  if (!alike.some(({ a, b }) => a === first && b === second)) {
    return yield* new WrongResult({ message: "The planted file with a few edits was not found" })
  }
  if (alike.some(({ a, b }) => a === third || b === third)) {
    return yield* new WrongResult({ message: "A planted file that is like no other was found" })
  }
})
