/** The maintained fork of node-sqlite3: one connection on the threads of libuv. */
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
        // One row at a time, without back-pressure.
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
