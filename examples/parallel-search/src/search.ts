/** The search for files that are nearly the same. */
import { Effect, Stream } from "effect"
import { Parallel } from "effect-blocking"
import { signatureLength } from "./minhash.ts"
import { areAlike, type Pair, signature } from "./tasks.ts"

interface Signed {
  readonly path: string
  readonly signature: Uint32Array
}

/** Reads and signs all files on at most `concurrency` threads. It is a stream, so that `onDone` can show the progress. */
export const sign = Effect.fn("sign")(function*(
  paths: ReadonlyArray<string>,
  concurrency: number | undefined,
  onDone: (count: number) => void = () => {}
) {
  const signed: Array<Signed> = []
  let bytes = 0
  let done = 0
  yield* Stream.runForEach(
    Parallel.stream(signature, Stream.fromIterable(paths), { concurrency }),
    (found) =>
      Effect.sync(() => {
        if (found !== undefined) {
          signed.push({ path: paths[done]!, signature: found.signature })
          bytes += found.bytes
        }
        onDone(++done)
      })
  )
  return { signed, bytes }
})

/** Four numbers form a band. Two texts that share four fifths agree in one of the 16 bands almost certainly. */
const bandLength = 4

/** A larger bucket holds a license or a generated file: only its neighbours are compared. */
const maxBucket = 20

/** Pairs that may be alike, because one of their bands agrees. This avoids comparing every pair. */
export const candidates = (signed: ReadonlyArray<Signed>): ReadonlyArray<Pair> => {
  const buckets = new Map<string, Array<string>>()
  for (const { path, signature } of signed) {
    for (let from = 0; from < signatureLength; from += bandLength) {
      const key = `${from}:${signature.subarray(from, from + bandLength).join()}`
      const bucket = buckets.get(key)
      if (bucket === undefined) buckets.set(key, [path])
      else bucket.push(path)
    }
  }
  const pairs = new Map<string, Pair>()
  for (const bucket of buckets.values()) {
    const reach = bucket.length > maxBucket ? 1 : bucket.length
    bucket.forEach((a, i) => {
      for (const b of bucket.slice(i + 1, i + 1 + reach)) pairs.set(`${a}\n${b}`, { a, b })
    })
  }
  return Array.from(pairs.values())
}

/** The pairs that are alike. */
export const compare = (pairs: ReadonlyArray<Pair>) => Parallel.filter(areAlike, pairs)
