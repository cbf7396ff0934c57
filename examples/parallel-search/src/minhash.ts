/** The similarity of two texts, by the runs of words that they share. Plain functions, without threads. */

/** The number of words in a shingle. */
const shingleWords = 5

/** The count of numbers in a signature. Two texts agree in each with a probability equal to their similarity. */
export const signatureLength = 64

/** Mixes the bits of a 32-bit number: each bit of the result depends on all bits. */
const mix = (n: number): number => {
  n = Math.imul(n ^ (n >>> 16), 0x85ebca6b)
  n = Math.imul(n ^ (n >>> 13), 0xc2b2ae35)
  return (n ^ (n >>> 16)) >>> 0
}

const hashOf = (word: string): number => {
  let hash = 0x811c9dc5
  for (let i = 0; i < word.length; i++) hash = Math.imul(hash ^ word.charCodeAt(i), 0x01000193)
  return hash
}

/** Returns a number for each run of five words. */
export const shinglesOf = (text: string): Set<number> => {
  const shingles = new Set<number>()
  const last: Array<number> = []
  for (const [word] of text.matchAll(/\w+/g)) {
    last.push(hashOf(word))
    if (last.length > shingleWords) last.shift()
    if (last.length === shingleWords) shingles.add(mix(last.reduce((hash, word) => Math.imul(hash, 31) + word, 7)))
  }
  return shingles
}

const seeds = Uint32Array.from({ length: signatureLength }, (_, i) => mix(i + 1))

/** Returns the smallest shingle in each of 64 different orders. */
export const signatureOf = (shingles: Set<number>): Uint32Array => {
  const signature = new Uint32Array(signatureLength).fill(0xffffffff)
  for (const shingle of shingles) {
    for (let i = 0; i < signatureLength; i++) {
      const hash = Math.imul(shingle ^ seeds[i]!, 0x9e3779b1) >>> 0
      if (hash < signature[i]!) signature[i] = hash
    }
  }
  return signature
}

/** The share of shingles that two texts have in common, from 0 to 1. */
export const similarityOf = (a: Set<number>, b: Set<number>): number => {
  let shared = 0
  for (const shingle of a) if (b.has(shingle)) shared++
  return shared / (a.size + b.size - shared)
}
