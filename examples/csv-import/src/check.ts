/** Reads the database, on a thread: counting millions of rows blocks, too. */
import { Task } from "effect-blocking"
import { existsSync } from "node:fs"
import { DatabaseSync } from "node:sqlite"

/** The number of rows, and the sum of their temperatures in tenths of a degree. Both are 0 without the table. */
export const contents = Task.make(import.meta.url, "contents", (path: string) => {
  if (!existsSync(path)) return { rows: 0, tenths: 0 }
  const database = new DatabaseSync(path, { readOnly: true })
  try {
    const found = database.prepare("select 1 from sqlite_schema where name = 'measurement'").get()
    if (found === undefined) return { rows: 0, tenths: 0 }
    const { rows, tenths } = database.prepare(
      "select count(*) as rows, cast(round(total(celsius) * 10) as integer) as tenths from measurement"
    ).get()!
    return { rows: Number(rows), tenths: Number(tenths) }
  } finally {
    database.close()
  }
})
