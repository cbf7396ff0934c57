import { Task } from "effect-blocking"
import * as Schema from "effect/Schema"
import * as bodies from "./bodies.mjs"

export const computed = Task.schema(
  import.meta.url,
  "computed",
  { payload: Schema.Finite, success: Schema.Finite },
  bodies.compute
)

export const noted = Task.schema(
  import.meta.url,
  "noted",
  { payload: Schema.Struct({ file: Schema.String, millis: Schema.Finite }), success: Schema.Finite },
  ({ file, millis }) => bodies.noted(file, millis)
)
