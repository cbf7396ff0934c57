import Database from "better-sqlite3"
import { workerData } from "piscina"
import * as files from "./files.mjs"

const database = new Database(workerData.filename, { timeout: 10_000 })
for (const pragma of files.pragmas) database.pragma(pragma)
const statements = { read: database.prepare(files.pointRead), insert: database.prepare(files.insert) }
const five = database.transaction((from) => {
  for (let i = 0; i < 5; i++) statements.insert.run(from + i, "text")
}).immediate

export const read = ([id]) => statements.read.get(id)
export const all = ([query, params]) => database.prepare(query).all(...params)
export const insert = ([i]) => statements.insert.run(i, "text")
export const transaction = ([from]) => five(from)
