/** Reads source files into the table. It runs on the writer's thread, so files and rows do not cross threads. */
import { SqliteTask } from "@effect-blocking/sqlite"
import { readFileSync } from "node:fs"

/** Inserts the lines of some files in one transaction. Returns the number of lines. */
export const insertFiles = SqliteTask.make(
  import.meta.url,
  "insertFiles",
  (db, paths: ReadonlyArray<string>): number => {
    const insertFile = db.prepare("INSERT INTO file (path, lines) VALUES (?, ?)")
    const insertLine = db.prepare("INSERT INTO line (file, number, text) VALUES (?, ?, ?)")
    let count = 0
    for (const path of paths) {
      const lines = readFileSync(path, "utf8").split("\n")
      const { lastInsertRowid: file } = insertFile.run(path, lines.length)
      for (const [i, text] of lines.entries()) insertLine.run(file, i + 1, text)
      count += lines.length
    }
    return count
  }
)
