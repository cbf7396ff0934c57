/** The error of a database that was not opened. Separate from the layers, because opening constructs it. */
import * as Schema from "effect/Schema"

export class SqliteOpenError extends Schema.TaggedError<SqliteOpenError>("@effect-blocking/sqlite/SqliteOpenError")(
  "SqliteOpenError",
  {
    filename: Schema.String,
    /** The reason, and what to do. */
    detail: Schema.String,
    cause: Schema.Defect()
  }
) {
  override get message(): string {
    return `${this.filename} cannot be opened: ${this.detail}`
  }
}
