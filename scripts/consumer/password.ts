import { Task } from "effect-blocking"
import * as Result from "effect/Result"
import * as Schema from "effect/Schema"
import { scryptSync } from "node:crypto"
import { readFileSync } from "node:fs"

export const hash = Task.make(import.meta.url, "hash", (password: string, salt: string) =>
  password === ""
    ? Result.fail({ _tag: "EmptyPassword" } as const)
    : Result.succeed(scryptSync(password, salt, 64).toString("hex")))

/** Its values cross through a schema, which the pool thread loads. */
export const hashInSchema = Task.schema(
  import.meta.url,
  "hashInSchema",
  { payload: Schema.String, success: Schema.String },
  (password) => scryptSync(password, "salt", 64).toString("hex")
)

export const broken = Task.make(import.meta.url, "broken", (): number => {
  throw new RangeError("out of range")
})

export const read = Task.make(import.meta.url, "read", (path: string) => readFileSync(path, "utf8"))
