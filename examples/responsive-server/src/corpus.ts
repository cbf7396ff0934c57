/** The table that `/search` looks through: one row for each source file of `effect`. */
import { Effect, Layer } from "effect"
import { globSync, readFileSync, rmSync } from "node:fs"
import { join } from "node:path"
import { DatabaseSync } from "node:sqlite"
import { databaseFile, sourcesDirectory } from "./files.ts"

const fill = () => {
  const database = new DatabaseSync(databaseFile)
  try {
    database.exec("PRAGMA synchronous = OFF; CREATE TABLE sources (path TEXT, content TEXT); BEGIN")
    const insert = database.prepare("INSERT INTO sources VALUES (?, ?)")
    for (const path of globSync("**/*.ts", { cwd: sourcesDirectory })) {
      insert.run(path, readFileSync(join(sourcesDirectory, path), "utf8"))
    }
    database.exec("COMMIT")
  } finally {
    database.close()
  }
}

/** Fills the database file, and removes it in the end. */
export const layer = Layer.effectDiscard(
  Effect.acquireRelease(
    Effect.sync(() => {
      rmSync(databaseFile, { force: true })
      fill()
    }),
    () => Effect.sync(() => rmSync(databaseFile, { force: true }))
  )
)
