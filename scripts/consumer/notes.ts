import { SqliteTask } from "@effect-blocking/sqlite"

export const add = SqliteTask.make(
  import.meta.url,
  "add",
  (db, text: string) => Number(db.prepare("INSERT INTO note (text) VALUES (?)").run(text).lastInsertRowid)
)
