/** libsql's asynchronous interface. */
import { Effect } from "effect"
import Database from "libsql/promise"
import * as files from "./files.mjs"

export const open = async (filename) => {
  const database = new Database(filename)
  for (const pragma of files.pragmas) await (await database.prepare(`PRAGMA ${pragma}`)).all()
  const read = await database.prepare(files.pointRead)
  const insert = await database.prepare(files.insert)
  return {
    read: (id) => Effect.promise(() => Promise.resolve(read.get([id]))),
    all: (query, params) => Effect.promise(async () => (await database.prepare(query)).all(params)),
    insert: (i) => Effect.promise(() => Promise.resolve(insert.run([i, "text"]))),
    close: async () => database.close()
  }
}
