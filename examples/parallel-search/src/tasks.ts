/** The tasks: each is for one file, or for one pair. Pool threads load this module. */
import { Task } from "effect-blocking"
import { readdirSync, readFileSync, statSync } from "node:fs"
import { extname, join } from "node:path"
import { shinglesOf, signatureOf, similarityOf } from "./minhash.ts"

const extensions = new Set([".js", ".mjs", ".cjs", ".ts", ".mts", ".md", ".json"])

/** Lists the texts below a folder that have between 1 and 200 kilobytes. */
export const listTexts = Task.make(
  import.meta.url,
  "listTexts",
  (folder: string) =>
    readdirSync(folder, { recursive: true, withFileTypes: true })
      .filter((entry) => entry.isFile() && extensions.has(extname(entry.name)))
      .map((entry) => join(entry.parentPath, entry.name))
      .filter((path) => {
        const { size } = statSync(path)
        return size >= 1000 && size <= 200_000
      })
      .sort()
)

/** The signature of one file, or `undefined` if it has too few words. */
export const signature = Task.make(import.meta.url, "signature", (path: string) => {
  const text = readFileSync(path, "utf8")
  const shingles = shinglesOf(text)
  return shingles.size < 20 ? undefined : { bytes: text.length, signature: signatureOf(shingles) }
})

export interface Pair {
  readonly a: string
  readonly b: string
}

/** Whether two files are nearly the same. Their signatures only say that they may be. */
export const areAlike = Task.make(
  import.meta.url,
  "areAlike",
  ({ a, b }: Pair) => similarityOf(shinglesOf(readFileSync(a, "utf8")), shinglesOf(readFileSync(b, "utf8"))) >= 0.8
)
