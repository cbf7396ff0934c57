/** node-sqlite3's design, one connection on the threads of libuv, in its kept fork. */
import { Database } from "@appthreat/sqlite3"
import { Effect } from "effect"
import { promisify } from "node:util"
import * as files from "./files.mjs"

export const open = async (filename) => {
  const database = await new Promise((resolve, reject) => {
    const database = new Database(filename, (error) => error ? reject(error) : resolve(database))
  })
  const exec = promisify(database.exec.bind(database))
  for (const pragma of files.pragmas) await exec(`PRAGMA ${pragma}`)
  const read = database.prepare(files.pointRead)
  const insert = database.prepare(files.insert)
  const call = (target, method, ...args) =>
    Effect.callback((resume) => {
      target[method](...args, (error, value) => resume(error ? Effect.die(error) : Effect.succeed(value)))
    })
  return {
    read: (id) => call(read, "get", id),
    all: (query, params) => call(database, "all", query, ...params),
    stream: (count, onChunk) =>
      Effect.callback((resume) => {
        // A row at a time, and nobody can hold it up.
        database.each(files.allRows, count, (error, row) => onChunk([row]), () => resume(Effect.void))
      }),
    insert: (i) => call(insert, "run", i, "text"),
    close: async () => {
      read.finalize()
      insert.finalize()
      await promisify(database.close.bind(database))()
    }
  }
}
