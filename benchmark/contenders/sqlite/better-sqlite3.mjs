/** better-sqlite3 on the event loop. */
import Database from "better-sqlite3"
import { Effect } from "effect"
import * as files from "./files.mjs"

export const open = async (filename) => {
  const database = new Database(filename)
  for (const pragma of files.pragmas) database.pragma(pragma)
  const read = database.prepare(files.pointRead)
  const insert = database.prepare(files.insert)
  const five = database.transaction((from) => {
    for (let i = 0; i < 5; i++) insert.run(from + i, "text")
  }).immediate
  return {
    read: (id) => Effect.sync(() => read.get(id)),
    all: (query, params) => Effect.sync(() => database.prepare(query).all(...params)),
    insert: (i) => Effect.sync(() => insert.run(i, "text")),
    transaction: (from) => Effect.sync(() => five(from)),
    close: async () => database.close()
  }
}
