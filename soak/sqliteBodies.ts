/** Bodies for the soak of the SQLite client. */
import { SqliteTask } from "@effect-blocking/sqlite"

export const insertMany = SqliteTask.make(import.meta.url, "insertMany", (db, id: string, parts: number): void => {
  const insert = db.prepare(`INSERT INTO row ("write", part, parts, bytes) VALUES (?, ?, ?, ?)`)
  for (let part = 1; part <= parts; part++) insert.run(id, part, parts, "x".repeat(part * 200))
})
