/** This library, from its staged packages. */
import { SqliteClient } from "@effect-blocking/sqlite"
import { Effect, Exit, Scope, Stream } from "effect"
import { Reactivity } from "effect/reactivity"
import { insertFive } from "./effect-blocking.bodies.mjs"
import * as files from "./files.mjs"

export const open = async (filename) => {
  const scope = Scope.makeUnsafe()
  const sql = await SqliteClient.make({ filename, readers: 2, synchronous: "normal" }).pipe(
    Effect.provide(Reactivity.layer),
    Scope.provide(scope),
    Effect.runPromise
  )
  const insert = (i) => sql.unsafe(files.insert, [i, "text"])
  return {
    read: (id) => Effect.map(sql.unsafe(files.pointRead, [id]), (rows) => rows[0]),
    all: (query, params) => sql.unsafe(query, params),
    stream: (count, onChunk) => Stream.runForEachArray(sql.unsafe(files.allRows, [count]).stream, onChunk),
    insert,
    interactive: (from) =>
      sql.withTransaction(Effect.forEach([0, 1, 2, 3, 4], (i) => insert(from + i), { discard: true })),
    transaction: (from) => sql.batch([0, 1, 2, 3, 4].map((i) => insert(from + i))),
    body: (from) => sql.transact(insertFive, from),
    close: () => Effect.runPromise(Scope.close(scope, Exit.void))
  }
}
