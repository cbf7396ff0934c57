/** `node:sqlite` on the event loop, like every driver of Effect for Node. */
import { Effect } from "effect"
import { DatabaseSync } from "node:sqlite"
import * as files from "./files.mjs"

export const open = async (filename) => {
  const database = new DatabaseSync(filename)
  for (const pragma of files.pragmas) database.exec(`PRAGMA ${pragma}`)
  const read = database.prepare(files.pointRead)
  const insert = database.prepare(files.insert)
  const five = (from) => {
    database.exec("BEGIN IMMEDIATE")
    for (let i = 0; i < 5; i++) insert.run(from + i, "text")
    database.exec("COMMIT")
  }
  return {
    read: (id) => Effect.sync(() => read.get(id)),
    all: (query, params) => Effect.sync(() => database.prepare(query).all(...params)),
    insert: (i) => Effect.sync(() => insert.run(i, "text")),
    transaction: (from) => Effect.sync(() => five(from)),
    close: async () => database.close()
  }
}
