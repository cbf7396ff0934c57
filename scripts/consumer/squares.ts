import { Schema } from "effect"
import { Task } from "effect-blocking"

export const square = Task.schema(
  import.meta.url,
  "square",
  { payload: Schema.Int, success: Schema.String },
  (n) => `${n * n}, attempt ${Task.attempt()}`
)
