/** The queries, in place and on threads. The server does not know which. */
import { SqliteClient } from "@effect-blocking/sqlite"
import { Context, Effect, Layer, Stream } from "effect"
import type { SqlError } from "effect/sql"
import { DatabaseSync } from "node:sqlite"

export interface File {
  readonly id: number
  readonly path: string
  readonly lines: number
}

export interface Line {
  readonly path: string
  readonly number: number
  readonly text: string
}

export class Queries extends Context.Service<Queries, {
  /** Takes microseconds. */
  readonly file: (id: number) => Effect.Effect<ReadonlyArray<File>, SqlError.SqlError>
  /** Sorts all lines before it returns the first: seconds. */
  readonly longestLines: Stream.Stream<Line, SqlError.SqlError>
}>()("@effect-blocking/example-sqlite-report/queries/Queries") {}

const fileById = "SELECT id, path, lines FROM file WHERE id = ?"
const linesByLength = `
  SELECT path, number, text FROM line JOIN file ON file.id = line.file ORDER BY length(text) DESC, path, number`

/** Without threads: each query blocks the event loop. */
export const inPlace = (filename: string): Layer.Layer<Queries> =>
  Layer.effect(
    Queries,
    Effect.gen(function*() {
      const database = yield* Effect.acquireRelease(
        Effect.sync(() => new DatabaseSync(filename, { readOnly: true })),
        (database) => Effect.sync(() => database.close())
      )
      const file = database.prepare(fileById)
      return Queries.of({
        file: (id) => Effect.sync(() => file.all(id) as Array<unknown> as Array<File>),
        longestLines: Stream.suspend(() =>
          Stream.fromIterable(database.prepare(linesByLength).iterate() as Iterable<unknown> as Iterable<Line>)
        )
      })
    })
  )

/** With the client: each query runs on a thread. */
export const onThreads: Layer.Layer<Queries, never, SqliteClient.SqliteClient> = Layer.effect(
  Queries,
  Effect.gen(function*() {
    const sql = yield* SqliteClient.SqliteClient
    return Queries.of({
      file: (id) => sql.unsafe<File>(fileById, [id]),
      longestLines: sql.unsafe<Line>(linesByLength).stream
    })
  })
)
