/** The error of a client that is not opened, apart from the layers so that opening can make it. */
import * as Schema from "effect/Schema"

export class SqliteOpenError extends Schema.TaggedError<SqliteOpenError>("@effect-blocking/sqlite/SqliteOpenError")(
  "SqliteOpenError",
  {
    filename: Schema.String,
    /** Why, and what to do. */
    detail: Schema.String,
    cause: Schema.Defect()
  }
) {
  override get message(): string {
    return `${this.filename} cannot be opened: ${this.detail}`
  }
}
