/** A file to import. A formula makes it, so the right result is known. */
import { Effect, FileSystem, Stream } from "effect"
import { heading } from "./tasks.ts"

const stations = ["Ada Ridge", "Babbage Point", "Curie Bay", "Dijkstra Hill", "Euler Island"]
const linesOfPart = 2000

export interface Sample {
  readonly rows: number
  /** The sum of all temperatures, in tenths of a degree. */
  readonly tenths: number
}

/** Writes a file of about the given size. */
export const makeSample = Effect.fn("makeSample")(function*(path: string, megabytes: number) {
  const fs = yield* FileSystem.FileSystem
  const encoder = new TextEncoder()
  let bytes = 0
  const sample = { rows: 0, tenths: 0 }
  const part = (): Uint8Array => {
    let text = sample.rows === 0 ? `${heading}\n` : ""
    for (let i = 0; i < linesOfPart; i++) {
      const tenths = (sample.rows * 7919) % 600 - 200
      const time = new Date(Date.UTC(2020, 0, 1) + sample.rows * 60_000).toISOString()
      text += `${stations[sample.rows % stations.length]},${time},${(tenths / 10).toFixed(1)}\n`
      sample.rows++
      sample.tenths += tenths
    }
    const encoded = encoder.encode(text)
    bytes += encoded.length
    return encoded
  }
  yield* Stream.fromEffectRepeat(Effect.sync(part)).pipe(
    Stream.takeUntil(() => bytes >= megabytes * 1e6),
    Stream.run(fs.sink(path))
  )
  return sample satisfies Sample
})
