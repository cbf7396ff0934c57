/** Fills the database: a row for each line of each source file that this repository has installed. */
import { SqliteClient } from "@effect-blocking/sqlite"
import { Array as Arr, Config, Effect } from "effect"
import { globSync } from "node:fs"
import { createRequire } from "node:module"
import { dirname, join } from "node:path"
import { insertFiles } from "./fill.ts"

/** node_modules */
const folder = dirname(dirname(createRequire(import.meta.url).resolve("effect/package.json")))

const filesAtOnce = 100

export interface Corpus {
  readonly files: number
  readonly lines: number
}

export const make = Effect.gen(function*() {
  const most = yield* Config.Int("SQLITE_REPORT_LINES").pipe(Config.withDefault(2_000_000))
  const sql = yield* SqliteClient.SqliteClient
  yield* sql`CREATE TABLE file (id INTEGER PRIMARY KEY, path TEXT NOT NULL, lines INTEGER NOT NULL) STRICT`
  yield* sql`CREATE TABLE line (file INTEGER NOT NULL REFERENCES file, number INTEGER NOT NULL, text TEXT NOT NULL) STRICT`
  const paths = yield* Effect.sync(() =>
    globSync("**/*.{ts,js,mjs,cjs,md}", { cwd: folder, withFileTypes: true })
      .filter((entry) => entry.isFile())
      .map((entry) => join(entry.parentPath, entry.name))
  )
  let corpus: Corpus = { files: 0, lines: 0 }
  for (const some of Arr.chunksOf(paths.sort(), filesAtOnce)) {
    const lines = yield* sql.transact(insertFiles, some)
    corpus = { files: corpus.files + some.length, lines: corpus.lines + lines }
    if (corpus.lines >= most) break
  }
  return corpus
})
