/** Bodies whose values cross through their schemas. In a module of their own, because it loads `effect/Schema`. */
import { Task } from "effect-blocking"
import * as Option from "effect/Option"
import * as Result from "effect/Result"
import * as Schema from "effect/Schema"

export class TooOld extends Schema.TaggedError<TooOld>()("TooOld", { year: Schema.Int }) {}

const before1900 = new Date("1900-01-01").getTime()

/** The year of a date with an even day of the month, otherwise `None`. */
export const yearOf = Task.schema(import.meta.url, "yearOf", {
  payload: Schema.Date,
  success: Schema.Option(Schema.Int),
  error: TooOld
}, (date) => {
  const year = date.getUTCFullYear()
  if (date.getTime() < before1900) return Result.fail(new TooOld({ year }))
  return Result.succeed(date.getUTCDate() % 2 === 0 ? Option.some(year) : Option.none())
})

export const isLate = Task.schema(import.meta.url, "isLate", {
  payload: Schema.Date,
  success: Schema.Boolean
}, (date) => date.getUTCFullYear() > 2000)

/** A number that crosses unchanged and is checked. */
export const half = Task.schema(import.meta.url, "half", { payload: Schema.Int, success: Schema.Int }, (n) => n / 2)
