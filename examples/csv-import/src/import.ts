/** The import: the file, through the parser, into the database. Copy this file. */
import { Effect, FileSystem, Stream } from "effect"
import { Blocking } from "effect-blocking"
import * as Progress from "./progress.ts"
import { parse, write, Written } from "./tasks.ts"

/** Writes the file to the database and returns the number of rows. Fails with `BadLine`. */
export const importFile = Effect.fn("importFile")(
  function*(file: string, database: string, progress: Progress.Progress) {
    const fs = yield* FileSystem.FileSystem
    return yield* fs.stream(file).pipe(
      Stream.tap((bytes) => Progress.addRead(progress, bytes.length)),
      Blocking.pipe(parse),
      Stream.run(Blocking.sink(write, database)),
      Effect.provideService(Written, (rows) => Progress.setWritten(progress, rows))
    )
  }
)
