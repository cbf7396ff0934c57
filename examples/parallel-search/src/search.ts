/** Which files are nearly the same. */
import { Effect, Stream } from "effect"
import { Parallel } from "effect-blocking"
import { signatureLength } from "./minhash.ts"
import { areAlike, type Pair, signature } from "./tasks.ts"

interface Signed {
  readonly path: string
  readonly signature: Uint32Array
}

/** Reads and signs all files, on so many threads; tells each that is done. A stream, because what is done is to be shown. */
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

/** Numbers of a signature that must all agree: two texts that share four fifths agree in one of 16 with near certainty. */
const bandLength = 4

/** A bucket that holds more is a license or a generated file: only neighbours in it are compared. */
const maxBucket = 20

/** Pairs that may be alike: in one of the bands they have the same numbers. Nobody compares all with all. */
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
