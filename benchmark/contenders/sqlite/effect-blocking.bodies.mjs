import { SqliteTask } from "@effect-blocking/sqlite"

export const insertFive = SqliteTask.make(import.meta.url, "insertFive", (db, from) => {
  const insert = db.prepare("INSERT INTO log (item, text) VALUES (?, ?)")
  for (let i = 0; i < 5; i++) insert.run(from + i, "text")
})
